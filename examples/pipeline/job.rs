//! The stages and the channels between them.
#![forbid(unsafe_code)]

use std::sync::Arc;

use fiberhost::scheduler::{Scheduler, scope};

use super::collect::{self, Collection, Fact};
use super::files::{self, Found, Piece};
use super::options::Options;
use super::progress::{Drawing, Progress};
use super::stage::{self, Meter, Reading, connect};
use super::words::Words;

/// Tasks that read, for each worker: some wait for room while others read.
const READERS: usize = 2;
/// Tasks that compute, for each worker.
const COMPUTERS: usize = 2;

/// What the job found.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) collection: Collection,
    pub(crate) words: Words,
    pub(crate) stages: [(&'static str, Reading); 5],
}

#[derive(Default)]
struct Meters {
    walk: Meter,
    read: Meter,
    hash: Meter,
    index: Meter,
    collect: Meter,
}

/// Runs the whole pipeline. Inside a task.
pub(crate) fn run(options: &Options, drawing: Drawing) -> Outcome {
    let progress = Progress::new();
    scope(|scope| {
        if drawing == Drawing::OnStderr {
            scope.spawn(|| files::count(&options.folder, &progress));
            scope.spawn(|| progress.draw());
        }
        let finished = progress.finish_at_end();
        let outcome = run_stages(options, &progress);
        drop(finished);
        outcome
    })
}

fn run_stages(options: &Options, progress: &Progress) -> Outcome {
    let workers = Scheduler::current().map_or(1, |scheduler| scheduler.workers());
    let queue = options.queue;
    let meters = Meters::default();
    let (found, to_read) = connect::<Found>(&meters.walk, &meters.read, queue);
    let (to_hash, pieces_to_hash) = connect::<Arc<Piece>>(&meters.read, &meters.hash, queue);
    let (to_index, pieces_to_index) = connect::<Arc<Piece>>(&meters.read, &meters.index, queue);
    let (walked, facts) = connect::<Fact>(&meters.walk, &meters.collect, queue);
    let read = walked.from(&meters.read);
    let hashed = walked.from(&meters.hash);

    // Each stage's ends of the channels go with its task: so the next stage ends after it.
    let (collection, words) = scope(|scope| {
        scope.spawn(|| {
            let (found, walked) = (found, walked);
            let walk = || files::walk(&options.folder, &found, &walked);
            meters.walk.work(walk);
        });
        scope.spawn(|| {
            let (input, to_hash, to_index, facts) = (to_read, to_hash, to_index, read);
            let work =
                |(): &mut (), found| files::read(&found, &to_hash, &to_index, &facts, progress);
            stage::run(&meters.read, &input, vec![(); READERS * workers], work);
        });
        scope.spawn(|| {
            let (input, facts) = (pieces_to_hash, hashed);
            let work = |(): &mut (), piece: Arc<Piece>| facts.send(hash(&piece));
            stage::run(&meters.hash, &input, vec![(); COMPUTERS * workers], work);
        });
        let words = scope.spawn(|| {
            let input = pieces_to_index;
            let work = |words: &mut Words, piece: Arc<Piece>| words.count(&piece.bytes);
            let tables = std::iter::repeat_with(Words::default)
                .take(COMPUTERS * workers)
                .collect();
            stage::run(&meters.index, &input, tables, work)
                .into_iter()
                .reduce(merge)
        });
        let collection = collect::run(&meters.collect, &facts, progress);
        let words = words.join().expect("no stage panics");
        (collection, words.unwrap_or_default())
    });
    Outcome {
        collection,
        words,
        stages: [
            ("walk", meters.walk.read()),
            ("read", meters.read.read()),
            ("hash", meters.hash.read()),
            ("index", meters.index.read()),
            ("collect", meters.collect.read()),
        ],
    }
}

fn hash(piece: &Piece) -> Fact {
    Fact::Hashed {
        file: piece.file,
        index: piece.index,
        hash: blake3::hash(&piece.bytes),
    }
}

fn merge(mut all: Words, more: Words) -> Words {
    all.merge(more);
    all
}
