//! The end of the pipeline: facts about files come in from all stages, in any order, and become one result.
#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;

use blake3::Hash;

use super::progress::Progress;
use super::stage::{Input, Meter};

/// What a stage found out.
#[derive(Debug)]
pub(crate) enum Fact {
    Hashed {
        file: usize,
        index: usize,
        hash: Hash,
    },
    Whole(Whole),
    Refused(PathBuf, io::Error),
}

/// A file that was read to its end.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) file: usize,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) pieces: usize,
    /// Its device and number, if it has several names.
    pub(crate) inode: Option<(u64, u64)>,
}

/// Files with the same content.
#[derive(Debug)]
pub(crate) struct Group {
    /// Of one of them.
    pub(crate) bytes: u64,
    pub(crate) paths: Vec<PathBuf>,
}

impl Group {
    pub(crate) fn wasted(&self) -> u64 {
        self.bytes * (self.paths.len() as u64 - 1)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Collection {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// Second names of files that are counted already.
    pub(crate) second_names: usize,
    /// The largest waste first.
    pub(crate) duplicates: Vec<Group>,
    pub(crate) refused: Vec<(PathBuf, io::Error)>,
}

/// What is known of a file so far.
#[derive(Default)]
struct Partial {
    hashes: Vec<(usize, Hash)>,
    whole: Option<Whole>,
}

#[derive(Default)]
struct Collector {
    partials: HashMap<usize, Partial>,
    groups: HashMap<Hash, Group>,
    inodes: HashSet<(u64, u64)>,
    collection: Collection,
}

/// Takes facts until all stages are done.
pub(crate) fn run(meter: &Meter, facts: &Input<'_, Fact>, progress: &Progress) -> Collection {
    let mut collector = Collector::default();
    while let Some(fact) = facts.next() {
        meter.work(|| collector.take(fact, progress));
    }
    collector.finish()
}

impl Collector {
    fn take(&mut self, fact: Fact, progress: &Progress) {
        match fact {
            Fact::Refused(path, error) => self.collection.refused.push((path, error)),
            Fact::Hashed { file, index, hash } => {
                self.partial(file).hashes.push((index, hash));
                self.complete(file, progress);
            }
            Fact::Whole(whole) => {
                let file = whole.file;
                self.partial(file).whole = Some(whole);
                self.complete(file, progress);
            }
        }
    }

    fn partial(&mut self, file: usize) -> &mut Partial {
        self.partials.entry(file).or_default()
    }

    /// If that was the last thing to know about a file.
    fn complete(&mut self, file: usize, progress: &Progress) {
        let partial = self.partial(file);
        let pieces = partial.whole.as_ref().map(|whole| whole.pieces);
        if pieces != Some(partial.hashes.len()) {
            return;
        }
        let partial = self.partials.remove(&file).unwrap_or_default();
        let Some(whole) = partial.whole else { return };
        progress.done(whole.bytes);
        self.collection.files += 1;
        self.collection.bytes += whole.bytes;
        if whole.inode.is_some_and(|inode| !self.inodes.insert(inode)) {
            self.collection.second_names += 1;
        } else if whole.bytes > 0 {
            let group = self
                .groups
                .entry(hash_of_hashes(partial.hashes))
                .or_insert(Group {
                    bytes: whole.bytes,
                    paths: Vec::new(),
                });
            group.paths.push(whole.path);
        }
    }

    /// What is left in `partials` belongs to files that could not be read to their end.
    fn finish(self) -> Collection {
        let mut collection = self.collection;
        collection.duplicates = self
            .groups
            .into_values()
            .filter(|group| group.paths.len() > 1)
            .collect();
        for group in &mut collection.duplicates {
            group.paths.sort_unstable();
        }
        collection
            .duplicates
            .sort_unstable_by(|a, b| b.wasted().cmp(&a.wasted()).then(a.paths.cmp(&b.paths)));
        collection.refused.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        collection
    }
}

/// The pieces may have been hashed in any order.
fn hash_of_hashes(mut hashes: Vec<(usize, Hash)>) -> Hash {
    hashes.sort_unstable_by_key(|&(index, _)| index);
    let mut whole = blake3::Hasher::new();
    for (_, hash) in &hashes {
        whole.update(hash.as_bytes());
    }
    whole.finalize()
}
