//! What the processes say to each other: one line a message, words separated by tabs.
//!
//! ```text
//! parent  round | end of file
//! child   ready SIZE ABOUT | round NS TOOK_NS FIELD=VALUE... | unavailable WHY | failed WHY
//! ```

use std::fmt;
use std::time::Duration;

use super::contender::Measured;

/// The parent's only word; it ends a child by closing the pipe.
pub(crate) const ROUND: &str = "round";

/// What a child says.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Message {
    /// Set up and warm; `size` repetitions make a round.
    Ready {
        size: u64,
        about: String,
    },
    Round(Measured),
    /// The contender has no such program.
    Unavailable(String),
    /// A check failed or something panicked.
    Failed(String),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Ready { size, about } => write!(f, "ready\t{size}\t{}", one_line(about)),
            Message::Unavailable(why) => write!(f, "unavailable\t{}", one_line(why)),
            Message::Failed(why) => write!(f, "failed\t{}", one_line(why)),
            Message::Round(measured) => {
                write!(f, "round\t{}\t{}", measured.ns, measured.took.as_nanos())?;
                measured
                    .fields
                    .iter()
                    .try_for_each(|(name, value)| write!(f, "\t{name}={value}"))
            }
        }
    }
}

impl Message {
    pub(crate) fn parse(line: &str) -> Option<Message> {
        let (kind, rest) = line.split_once('\t')?;
        match kind {
            "ready" => {
                let (size, about) = rest.split_once('\t')?;
                Some(Message::Ready {
                    size: size.parse().ok()?,
                    about: about.to_owned(),
                })
            }
            "unavailable" => Some(Message::Unavailable(rest.to_owned())),
            "failed" => Some(Message::Failed(rest.to_owned())),
            "round" => parse_round(rest).map(Message::Round),
            _ => None,
        }
    }
}

fn parse_round(rest: &str) -> Option<Measured> {
    let mut words = rest.split('\t');
    let ns = words.next()?.parse().ok()?;
    let took = Duration::from_nanos(words.next()?.parse().ok()?);
    let fields = words.map(|word| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Some(Measured {
        ns,
        took,
        fields: fields.collect::<Option<_>>()?,
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
