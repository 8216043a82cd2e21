//! A live screen of what a scheduler is at: it attaches to the socket that `observe` of a scheduler's builder made, and shows
//! the operator's tables, with sorting and the details of a row.
//!
//! It knows no table by itself: which there are, with which columns, the socket says.
#![forbid(unsafe_code)]

mod alarm;
mod client;
mod draw;
mod options;
mod state;
mod value;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::{DefaultTerminal, Terminal};

use client::Client;
use options::{Options, Parsed};
use state::{After, State};

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Help) => {
            let _ = io::stdout().write_all(options::HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}; --help explains");
            return ExitCode::from(2);
        }
    };
    let result = if options.once {
        once(&options)
    } else {
        live(&options)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", options.socket.display());
            ExitCode::FAILURE
        }
    }
}

/// The state after the first look, with what the options ask for.
fn begin(options: &Options) -> io::Result<State> {
    let client = Client::connect(&options.socket)?;
    let mut state = State::new(client)?;
    if let Some(table) = &options.table {
        state.show(table)?;
    }
    if let Some(column) = &options.sort {
        state.sort_by(column)?;
    }
    state.detail = options.detail;
    state.refresh();
    match state.trouble.take() {
        Some(trouble) => Err(io::Error::other(trouble)),
        None => Ok(state),
    }
}

/// One screen as text.
fn once(options: &Options) -> io::Result<()> {
    let mut state = begin(options)?;
    // Memory refuses nothing.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(options.width, options.height));
    let Ok(drawn) = terminal.draw(|frame| draw::screen(frame, &mut state));
    let buffer = drawn.buffer;
    let mut text = String::new();
    for row in 0..options.height {
        let cells = (0..options.width).map(|column| buffer[(column, row)].symbol());
        let line: String = cells.collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let text = text.trim_end_matches('\n');
    match writeln!(io::stdout(), "{text}") {
        // Whoever reads it has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn live(options: &Options) -> io::Result<()> {
    let mut state = begin(options)?;
    if !io::stdout().is_terminal() {
        return Err(io::Error::other(
            "the screen needs a terminal; --once prints it as text",
        ));
    }
    let mut terminal = ratatui::try_init()?;
    let result = follow(&mut terminal, &mut state, options);
    ratatui::restore();
    result
}

fn follow(terminal: &mut DefaultTerminal, state: &mut State, options: &Options) -> io::Result<()> {
    let mut due = Instant::now() + options.interval;
    loop {
        terminal.draw(|frame| draw::screen(frame, state))?;
        if event::poll(due.saturating_duration_since(Instant::now()))? {
            let Event::Key(key) = event::read()? else {
                continue;
            };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match state.key(key) {
                After::Quit => return Ok(()),
                After::Draw => continue,
                After::Look => {}
            }
        } else if state.paused {
            due = Instant::now() + options.interval;
            continue;
        }
        state.refresh();
        due = Instant::now() + options.interval;
    }
}
