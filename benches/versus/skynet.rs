//! Skynet's arithmetic: what a node sends, and what the root must have received.

use super::case::SKYNET_WIDTH;

/// What a node sends to its parent: the sum of the ordinals below it, and how many nodes took part.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Sum {
    ordinals: u64,
    nodes: u64,
}

impl Sum {
    pub(crate) fn leaf(ordinal: u64) -> Sum {
        Sum {
            ordinals: ordinal,
            nodes: 1,
        }
    }

    /// A node above leaves, before its children have answered.
    pub(crate) fn node() -> Sum {
        Sum {
            ordinals: 0,
            nodes: 1,
        }
    }

    pub(crate) fn add(&mut self, child: Sum) {
        self.ordinals += child.ordinals;
        self.nodes += child.nodes;
    }

    /// Checks what the root sent, and answers how many tasks ran.
    pub(crate) fn check(self, depth: u64) -> u64 {
        let leaves = leaves(depth);
        let nodes = (0..=depth).map(self::leaves).sum();
        assert_eq!(
            self,
            Sum {
                ordinals: leaves * (leaves - 1) / 2,
                nodes
            },
            "skynet's sum"
        );
        nodes
    }
}

pub(crate) fn leaves(depth: u64) -> u64 {
    (0..depth).map(|_| SKYNET_WIDTH).product()
}

/// The ordinals below a node, parted among its children.
pub(crate) fn children(first: u64, leaves: u64) -> impl Iterator<Item = (u64, u64)> {
    let each = leaves / SKYNET_WIDTH;
    (0..SKYNET_WIDTH).map(move |child| (first + child * each, each))
}
