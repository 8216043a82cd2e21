//! What the rounds of a contest come to: medians, ratios, the best peer.

use super::case::Case;
use super::contender::{Measured, Who};
use super::contest::{Contest, Outcome};
use super::statistics::{self, Interval};

/// All contenders of one contest, fiberhost first.
#[derive(Debug)]
pub(crate) struct Standings {
    pub(crate) case: &'static Case,
    pub(crate) workers: usize,
    pub(crate) rows: Vec<Standing>,
    /// Where in `rows` the best peer stands.
    best_peer: Option<usize>,
}

/// One contender; of tokio's two flavours the better one.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) who: Who,
    pub(crate) about: String,
    pub(crate) result: Result<Summary, String>,
    /// The median of the flavour that was slower, where both were run.
    pub(crate) other_flavour: Option<(&'static str, f64)>,
}

#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) ns: f64,
    pub(crate) p10: f64,
    pub(crate) p90: f64,
    /// Each round's `ns`, in the order of the rounds.
    pub(crate) rounds: Vec<f64>,
    /// How many times fiberhost's time this contender took, within the same round.
    pub(crate) ratio: Option<Interval>,
    /// The medians of what the case reports besides.
    pub(crate) fields: Vec<(String, f64)>,
}

impl Standings {
    pub(crate) fn of(contest: &Contest, outcomes: &[Outcome]) -> Standings {
        let fiberhost = outcomes
            .iter()
            .find(|outcome| outcome.who == Who::Fiberhost);
        let base = fiberhost.and_then(|outcome| outcome.rounds.as_ref().ok());
        let all = outcomes
            .iter()
            .map(|outcome| Standing::of(outcome, base.map(Vec::as_slice)));
        let rows = better_flavours(all.collect());
        let peers = rows.iter().enumerate().filter(|(_, row)| row.who.is_peer());
        let finished = peers.filter_map(|(place, row)| Some((place, row.result.as_ref().ok()?.ns)));
        let best_peer = finished
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(place, _)| place);
        Standings {
            case: contest.case,
            workers: contest.workers,
            rows,
            best_peer,
        }
    }

    pub(crate) fn is_best_peer(&self, row: &Standing) -> bool {
        self.best_peer
            .is_some_and(|place| std::ptr::eq(&self.rows[place], row))
    }

    fn fiberhost(&self) -> Option<&Standing> {
        self.rows.iter().find(|row| row.who == Who::Fiberhost)
    }

    pub(crate) fn fiberhost_failed(&self) -> bool {
        self.fiberhost().is_some_and(|row| row.result.is_err())
    }

    /// What was aimed at and not reached, each with its factor.
    pub(crate) fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let Some(Ok(ours)) = self.fiberhost().map(|row| &row.result) else {
            return missed;
        };
        if let Some(goal) = self
            .case
            .goal_ns
            .filter(|_| self.workers == self.case.workers[0])
            && ours.ns > goal
        {
            missed.push(format!(
                "goal of {goal} ns missed by x {:.2}",
                ours.ns / goal
            ));
        }
        let best = self.best_peer.map(|place| &self.rows[place]);
        if let Some((best, Ok(theirs))) = best.map(|row| (row, &row.result))
            && let Some(ratio) = theirs.ratio.filter(|ratio| ratio.median < 1.0)
        {
            let factor = 1.0 / ratio.median;
            missed.push(format!(
                "slower than the best peer, {}, by x {factor:.2}",
                best.who.name()
            ));
        }
        missed
    }
}

impl Standing {
    fn of(outcome: &Outcome, base: Option<&[Measured]>) -> Standing {
        Standing {
            who: outcome.who,
            about: outcome.about.clone(),
            result: outcome
                .rounds
                .as_ref()
                .map(|rounds| summary(rounds, base))
                .map_err(Clone::clone),
            other_flavour: None,
        }
    }
}

fn summary(rounds: &[Measured], base: Option<&[Measured]>) -> Summary {
    let ns: Vec<f64> = rounds.iter().map(|round| round.ns).collect();
    let sorted = statistics::sorted(ns.iter().copied());
    let mut names: Vec<&String> = Vec::new();
    // A round may have nothing to say of a field: of lateness, say, if nobody was late.
    for (name, _) in rounds.iter().flat_map(|round| &round.fields) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let fields = names.into_iter().map(|name| {
        let values = rounds.iter().flat_map(|round| &round.fields);
        let values = values.filter(|(other, _)| other == name);
        (
            name.clone(),
            statistics::median(values.map(|(_, value)| *value)),
        )
    });
    Summary {
        ns: statistics::quantile(&sorted, 0.5),
        p10: statistics::quantile(&sorted, 0.1),
        p90: statistics::quantile(&sorted, 0.9),
        ratio: base.and_then(|base| ratio(rounds, base)),
        fields: fields.collect(),
        rounds: ns,
    }
}

/// There is no ratio to nothing: an idle contender may use no time at all.
fn ratio(rounds: &[Measured], base: &[Measured]) -> Option<Interval> {
    let pairs = || rounds.iter().zip(base);
    if pairs().any(|(_, base)| base.ns == 0.0) {
        return None;
    }
    Some(Interval::of(
        pairs().map(|(round, base)| round.ns / base.ns),
    ))
}

/// Leaves one tokio: the better flavour, which remembers the other's figure.
fn better_flavours(mut rows: Vec<Standing>) -> Vec<Standing> {
    let is_tokio = |row: &Standing| matches!(row.who, Who::Tokio(_));
    let Some(first) = rows.iter().position(is_tokio) else {
        return rows;
    };
    let Some(second) = rows.iter().skip(first + 1).position(is_tokio) else {
        return rows;
    };
    let second = rows.remove(first + 1 + second);
    let time = |row: &Standing| {
        row.result
            .as_ref()
            .map_or(f64::INFINITY, |summary| summary.ns)
    };
    let (mut better, other) = if time(&second) < time(&rows[first]) {
        (second, rows.remove(first))
    } else {
        (rows.remove(first), second)
    };
    better.other_flavour = other
        .who
        .flavour()
        .filter(|_| other.result.is_ok())
        .map(|name| (name, time(&other)));
    rows.insert(first, better);
    rows
}
