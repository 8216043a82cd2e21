//! What is printed at the end.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use fiberhost::scheduler::Stats;

use super::collect::Group;
use super::job::Outcome;

const GROUPS_SHOWN: usize = 5;
const PATHS_SHOWN: usize = 3;
const REFUSALS_SHOWN: usize = 3;
const WORDS_SHOWN: usize = 8;
const LETTERS: usize = 4;

pub(crate) struct Report<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) took: Duration,
    pub(crate) workers: usize,
    pub(crate) stats: Stats,
    pub(crate) result: Outcome,
}

impl Report<'_> {
    /// What could not be read.
    pub(crate) fn warn(&self, err: &mut dyn Write) -> io::Result<()> {
        let refused = &self.result.collection.refused;
        for (path, error) in refused.iter().take(REFUSALS_SHOWN) {
            writeln!(err, "pipeline: {}: {error}", path.display())?;
        }
        if refused.len() > REFUSALS_SHOWN {
            let more = refused.len() - REFUSALS_SHOWN;
            writeln!(err, "pipeline: and {more} more could not be read")?;
        }
        Ok(())
    }

    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let collection = &self.result.collection;
        let seconds = self.took.as_secs_f64();
        let rate = collection.bytes as f64 / seconds / 1e6;
        writeln!(out, "folder      {}", self.folder.display())?;
        writeln!(out, "files       {}", collection.files)?;
        writeln!(out, "not read    {}", collection.refused.len())?;
        writeln!(out, "bytes       {}", collection.bytes)?;
        writeln!(out, "time        {seconds:.3} s, {rate:.0} MB/s")?;
        self.print_duplicates(out)?;
        self.print_words(out)?;
        self.print_scheduler(out)?;
        self.print_stages(out)
    }

    fn print_duplicates(&self, out: &mut dyn Write) -> io::Result<()> {
        let collection = &self.result.collection;
        let groups = &collection.duplicates;
        let copies: usize = groups.iter().map(|group| group.paths.len() - 1).sum();
        let wasted = groups.iter().map(Group::wasted).sum();
        let (count, links) = (groups.len(), collection.second_names);
        writeln!(
            out,
            "duplicates  {copies} copies of {count} files, {} in all; {links} hard links not counted",
            Bytes(wasted)
        )?;
        for group in groups.iter().take(GROUPS_SHOWN) {
            write!(out, "  {} x {}:", group.paths.len(), Bytes(group.bytes))?;
            for path in group.paths.iter().take(PATHS_SHOWN) {
                write!(out, " {}", path.display())?;
            }
            let rest = group.paths.len().saturating_sub(PATHS_SHOWN);
            writeln!(out, "{}", if rest > 0 { " ..." } else { "" })?;
        }
        Ok(())
    }

    fn print_words(&self, out: &mut dyn Write) -> io::Result<()> {
        let words = &self.result.words;
        writeln!(out, "words       {} different", words.different())?;
        for (word, count) in words.most_frequent(LETTERS, WORDS_SHOWN) {
            writeln!(out, "  {count:>9} {word}")?;
        }
        Ok(())
    }

    fn print_scheduler(&self, out: &mut dyn Write) -> io::Result<()> {
        let Stats {
            spawned,
            switches,
            steals,
            stacks,
            switch,
            ..
        } = self.stats;
        writeln!(
            out,
            "scheduler   {} workers, {spawned} tasks on {stacks} stacks, {switches} switches ({switch}), {steals} steals",
            self.workers
        )
    }

    fn print_stages(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "stage           items       work   no input   all busy    no room   (ms, all tasks together)"
        )?;
        for (name, stage) in &self.result.stages {
            let [work, no_input, all_busy, no_room] =
                [stage.busy, stage.no_input, stage.all_busy, stage.no_room]
                    .map(|time| time.as_secs_f64() * 1e3);
            writeln!(
                out,
                "  {name:<8} {:>10} {work:>10.1} {no_input:>10.1} {all_busy:>10.1} {no_room:>10.1}",
                stage.items
            )?;
        }
        Ok(())
    }
}

/// A size as people read it.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut units = ["B", "kB", "MB", "GB", "TB"].iter();
        let mut unit = units.next().unwrap_or(&"");
        while value >= 1000.0
            && let Some(larger) = units.next()
        {
            value /= 1000.0;
            unit = larger;
        }
        if self.0 < 1000 {
            write!(f, "{} B", self.0)
        } else {
            write!(f, "{value:.1} {unit}")
        }
    }
}
