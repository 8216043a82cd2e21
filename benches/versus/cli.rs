//! The command line, and the hidden one of the children.

use std::path::PathBuf;

use super::case::{CASES, Case};
use super::child::{Effort, Post};
use super::contender::Who;

/// The hidden argument that makes this program a child.
const CHILD: &str = "--child";

/// What to run and how to show it.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) effort: Effort,
    pub(crate) json: bool,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) workers: Option<usize>,
    only: Vec<&'static Case>,
}

impl Options {
    pub(crate) fn wants(&self, case: &Case) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.name == case.name)
    }
}

#[derive(Debug)]
pub(crate) enum Command {
    Compare(Options),
    Child(Post),
    Explain,
}

pub(crate) fn usage() -> String {
    let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    format!(
        "usage: cargo bench --bench versus -- [--only CASE]... [--workers N] [--quick] [--json] [--svg FILE]\n\
         cases: {}",
        names.join(" ")
    )
}

pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments.peekable();
    // `cargo test --all-targets` starts every bench without an argument; it does not want ten minutes of figures.
    if arguments.peek().is_none() {
        return Ok(Command::Explain);
    }
    let mut options = Options {
        effort: Effort::Full,
        json: false,
        svg: None,
        workers: None,
        only: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} wants a value"))
        };
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--quick" => options.effort = Effort::Quick,
            "--json" => options.json = true,
            "--svg" => options.svg = Some(value()?.into()),
            "--only" => options.only.push(case(&value()?)?),
            "--workers" => options.workers = Some(workers(&value()?)?),
            "--help" | "-h" => return Ok(Command::Explain),
            CHILD => return child(arguments).map(Command::Child),
            unknown => return Err(format!("unknown argument {unknown}")),
        }
    }
    Ok(Command::Compare(options))
}

/// The command line that [`parse`] turns back into the same post.
pub(crate) fn child_arguments(post: &Post) -> [String; 5] {
    let effort = match post.effort {
        Effort::Full => "full",
        Effort::Quick => "quick",
    };
    let who = post.who.to_string();
    [
        CHILD.into(),
        post.case.name.into(),
        post.workers.to_string(),
        who,
        effort.into(),
    ]
}

fn child(mut arguments: impl Iterator<Item = String>) -> Result<Post, String> {
    let mut next = || {
        arguments
            .next()
            .ok_or_else(|| format!("{CHILD} wants four values"))
    };
    Ok(Post {
        case: case(&next()?)?,
        workers: workers(&next()?)?,
        who: next().and_then(|who| Who::parse(&who).ok_or(format!("unknown contender {who}")))?,
        effort: match next()?.as_str() {
            "full" => Effort::Full,
            "quick" => Effort::Quick,
            unknown => return Err(format!("unknown effort {unknown}")),
        },
    })
}

fn case(name: &str) -> Result<&'static Case, String> {
    Case::named(name).ok_or_else(|| format!("unknown case {name}"))
}

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("{text:?} is no number of workers")),
    }
}
