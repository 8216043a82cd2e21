//! Processes of the bench: each server and each load has one of its own, so that they share nothing but the machine.
//!
//! A server says where it listens in its first line, and ends when its input is closed.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A server's first line.
pub(crate) fn announce(address: SocketAddr) -> io::Result<()> {
    println!("{address}");
    io::stdout().flush()
}

/// Waits for the end of the input.
pub(crate) fn until_closed() -> io::Result<()> {
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

/// A process with this program, which ends at the latest when this is dropped.
pub(crate) struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it with these arguments, and with as many descriptors as it may have.
    pub(crate) fn start(arguments: &[&str]) -> io::Result<Process> {
        let program = std::env::current_exe()?;
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\""])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = child.stdout.take().expect("it is a pipe");
        Ok(Process {
            child,
            said: BufReader::new(said),
        })
    }

    /// Its next line.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.said.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(io::Error::other(format!("a process ended early: {status}")));
        }
        Ok(line.trim_end().to_owned())
    }

    /// All its further lines, to its end, which must be a good one.
    pub(crate) fn rest(mut self) -> io::Result<Vec<String>> {
        let lines = (&mut self.said).lines().collect::<io::Result<_>>()?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(lines)
        } else {
            Err(io::Error::other(format!("a process failed: {status}")))
        }
    }

    /// Ends it by closing its input.
    pub(crate) fn close(mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        self.rest().map(drop)
    }

    /// What it has of the machine now.
    pub(crate) fn holds(&self) -> io::Result<Holds> {
        let of = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(of.join("status"))?;
        let memory = status.lines().find_map(|line| {
            let kib = line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?;
            kib.parse().ok()
        });
        Ok(Holds {
            memory_kib: memory.ok_or_else(|| io::Error::other("the kernel does not say"))?,
            descriptors: std::fs::read_dir(of.join("fd"))?.count(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Memory that is its own, and descriptors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    pub(crate) memory_kib: u64,
    pub(crate) descriptors: usize,
}
