//! A child process as its parent sees it.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::child::Post;
use super::cli;
use super::contender::Measured;
use super::wire::{Message, ROUND};

/// Nothing here takes this long; a contender that does has lost a task.
const PATIENCE: Duration = Duration::from_secs(120);

/// A contender at work in a process of its own.
pub(crate) struct Running {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

impl Running {
    /// Starts the process and waits until it is warm; answers the contender's word about itself.
    pub(crate) fn start(post: &Post) -> Result<(Running, String), String> {
        let mut running = Running::spawn(post).map_err(|why| format!("not started: {why}"))?;
        match running.answer()? {
            Message::Ready { size: _, about } => Ok((running, about)),
            Message::Unavailable(why) => Err(why),
            Message::Failed(why) => Err(format!("failed: {why}")),
            Message::Round(_) => Err("failed: answered before it was asked".to_owned()),
        }
    }

    fn spawn(post: &Post) -> io::Result<Running> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(cli::child_arguments(post))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let requests = child.stdin.take().expect("the pipe was asked for");
        let output = child.stdout.take().expect("the pipe was asked for");
        let (sender, answers) = mpsc::channel();
        // A thread of its own, because a pipe cannot be read with a time limit.
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            for line in lines {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Running {
            child,
            requests,
            answers,
        })
    }

    /// Lets the child begin a round.
    pub(crate) fn begin_round(&mut self) {
        // A child that is gone is noticed where its answer is read.
        let _ = writeln!(self.requests, "{ROUND}");
    }

    pub(crate) fn end_round(&mut self) -> Result<Measured, String> {
        match self.answer()? {
            Message::Round(measured) => Ok(measured),
            Message::Failed(why) => Err(format!("failed: {why}")),
            Message::Ready { .. } | Message::Unavailable(_) => {
                Err("failed: an answer to another question".to_owned())
            }
        }
    }

    fn answer(&mut self) -> Result<Message, String> {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => Message::parse(&line).ok_or_else(|| format!("failed: said {line:?}")),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("failed: no answer in {} s", PATIENCE.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => match self.child.wait() {
                Ok(status) => Err(format!("failed: ended with {status}")),
                Err(why) => Err(format!("failed: {why}")),
            },
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killed rather than asked: a contender in trouble may not listen, and none has anything to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
