//! What is on the screen, and what a key changes.

use std::io;
use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;

use crate::alarm::{self, Alarm};
use crate::client::{Client, Row, Table};
use crate::value::compare;

/// The tables that come first, in this order; the others follow in the other side's order.
const FIRST: [&str; 7] = [
    "schedulers",
    "waiting_tasks",
    "tasks",
    "native_targets",
    "native_sections",
    "stalls",
    "wait_stats",
];
/// Where more stands about a task, and the column that names it there.
const ABOUT_TASKS: [(&str, &str); 4] = [
    ("tasks", "task_id"),
    ("waiting_tasks", "waiting_task_id"),
    ("native_sections", "task_id"),
    ("stalls", "task_id"),
];
const PAGE: usize = 20;
/// By so many the details are scrolled.
const LINES: u16 = 5;

/// What comes after a key.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum After {
    Draw,
    /// The rows are needed anew.
    Look,
    Quit,
}

#[derive(Debug)]
pub(crate) struct Sorting {
    pub(crate) column: usize,
    pub(crate) descending: bool,
}

/// A row with the table that it is from.
#[derive(Debug)]
pub(crate) struct Related {
    pub(crate) table: usize,
    pub(crate) row: Row,
}

#[derive(Debug)]
pub(crate) struct State {
    client: Client,
    pub(crate) tables: Vec<Table>,
    /// Which of them is shown.
    pub(crate) shown: usize,
    pub(crate) rows: Vec<Row>,
    /// The row of the scheduler as a whole, if there is one.
    pub(crate) system: Option<Related>,
    /// What does not go on, if the other side has reports of that.
    pub(crate) alarm: Option<Alarm>,
    pub(crate) sorting: Option<Sorting>,
    /// Which row is marked; by its place.
    pub(crate) marked: usize,
    /// The details of the marked row are open.
    pub(crate) detail: bool,
    /// How many of their lines are above what is seen.
    pub(crate) scrolled: u16,
    /// What else is known of its task.
    pub(crate) related: Vec<Related>,
    pub(crate) paused: bool,
    /// Since when the shown table counts, if not since the scheduler's start.
    pub(crate) since: Option<Instant>,
    /// Why the rows are not of now.
    pub(crate) trouble: Option<String>,
}

impl State {
    pub(crate) fn new(mut client: Client) -> io::Result<State> {
        let mut tables = client.tables()?;
        if tables.is_empty() {
            return Err(io::Error::other("the other side has no tables"));
        }
        let place = |table: &Table| FIRST.iter().position(|&name| name == table.name);
        tables.sort_by_key(|table| place(table).unwrap_or(FIRST.len()));
        Ok(State {
            client,
            tables,
            shown: 0,
            rows: Vec::new(),
            system: None,
            alarm: None,
            sorting: None,
            marked: 0,
            detail: false,
            scrolled: 0,
            related: Vec::new(),
            paused: false,
            since: None,
            trouble: None,
        })
    }

    pub(crate) fn table(&self) -> &Table {
        &self.tables[self.shown]
    }

    /// Shows the table of this name.
    pub(crate) fn show(&mut self, name: &str) -> io::Result<()> {
        let names: Vec<_> = self.tables.iter().map(|table| &*table.name).collect();
        let Some(place) = self.table_named(name) else {
            let names = names.join(", ");
            return Err(io::Error::other(format!(
                "no table {name}; there are {names}"
            )));
        };
        self.turn_to(place);
        Ok(())
    }

    /// Sorts by the column of this name, the largest first.
    pub(crate) fn sort_by(&mut self, name: &str) -> io::Result<()> {
        let Some(column) = self.table().place(name) else {
            let names: Vec<_> = self.table().columns.iter().map(|it| &*it.name).collect();
            let names = names.join(", ");
            return Err(io::Error::other(format!(
                "no column {name}; there are {names}"
            )));
        };
        self.sorting = Some(Sorting {
            column,
            descending: true,
        });
        Ok(())
    }

    fn table_named(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }

    /// Looks again. What cannot be had stays as it was, with the reason.
    pub(crate) fn refresh(&mut self) {
        self.trouble = self.look().err().map(|error| error.to_string());
    }

    fn look(&mut self) -> io::Result<()> {
        let marked = self
            .rows
            .get(self.marked)
            .and_then(|row| row.first().cloned());
        if let Some(table) = self.table_named("sys_info") {
            let rows = self.client.rows(&self.tables[table])?;
            self.system = rows.into_iter().next().map(|row| Related { table, row });
        }
        let stalls = self.table_named(alarm::TABLE).filter(|&table| {
            let mut columns = alarm::COLUMNS.iter();
            columns.all(|column| self.tables[table].place(column).is_some())
        });
        if let Some(table) = stalls {
            let rows = self.client.picked(&self.tables[table], &alarm::COLUMNS)?;
            self.alarm = Some(Alarm::of(&rows));
        }
        self.rows = self.shown_rows()?;
        self.sort();
        self.mark_again(marked);
        self.relate()
    }

    fn shown_rows(&mut self) -> io::Result<Vec<Row>> {
        let table = &self.tables[self.shown];
        if self.since.is_none() {
            return self.client.rows(table);
        }
        if !self.client.is_marked() {
            self.client.mark()?;
            self.since = Some(Instant::now());
        }
        self.client.rows_since(table)
    }

    fn sort(&mut self) {
        if let Some(Sorting { column, descending }) = self.sorting {
            self.rows.sort_by(|one, other| {
                let order = compare(&one[column], &other[column]);
                if descending { order.reverse() } else { order }
            });
        }
    }

    /// With the details open, the mark stays with its row wherever that goes.
    fn mark_again(&mut self, key: Option<Value>) {
        let again = key.filter(|_| self.detail);
        let place = again.and_then(|key| {
            let mut rows = self.rows.iter();
            rows.position(|row| row.first() == Some(&key))
        });
        let last = self.rows.len().saturating_sub(1);
        self.marked = place.unwrap_or(self.marked).min(last);
    }

    fn relate(&mut self) -> io::Result<()> {
        self.related.clear();
        let Some(task) = self.marked_task().filter(|_| self.detail) else {
            return Ok(());
        };
        for (name, key) in ABOUT_TASKS {
            let Some(table) = self.table_named(name).filter(|&it| it != self.shown) else {
                continue;
            };
            let Some(place) = self.tables[table].place(key) else {
                continue;
            };
            let rows = self.client.rows(&self.tables[table])?;
            let row = rows.into_iter().find(|row| row[place] == task);
            self.related.extend(row.map(|row| Related { table, row }));
        }
        Ok(())
    }

    /// The task that the marked row is about.
    fn marked_task(&self) -> Option<Value> {
        let places = ["task_id", "waiting_task_id"].map(|name| self.table().place(name));
        let place = places.into_iter().flatten().next()?;
        let task = self.rows.get(self.marked)?[place].clone();
        (!task.is_null()).then_some(task)
    }

    fn turn_to(&mut self, table: usize) {
        self.shown = table;
        self.rows.clear();
        self.related.clear();
        self.sorting = self.usual_sorting();
        self.marked = 0;
        self.scrolled = 0;
    }

    /// Of what does not go on the newest comes first; other tables have an order of their own.
    fn usual_sorting(&self) -> Option<Sorting> {
        (self.table().name == alarm::TABLE).then_some(Sorting {
            column: 0,
            descending: true,
        })
    }

    pub(crate) fn key(&mut self, key: KeyEvent) -> After {
        let tables = self.tables.len();
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => After::Quit,
            KeyCode::Char('q') => After::Quit,
            KeyCode::Esc if self.detail => self.set_detail(false),
            KeyCode::Esc => After::Quit,
            KeyCode::Enter => self.set_detail(!self.detail),
            KeyCode::Tab => self.turn((self.shown + 1) % tables),
            KeyCode::BackTab => self.turn((self.shown + tables - 1) % tables),
            KeyCode::Char(digit @ '1'..='9') => {
                let table = digit as usize - '1' as usize;
                if table < tables {
                    self.turn(table)
                } else {
                    After::Draw
                }
            }
            KeyCode::Down => self.mark(self.marked.saturating_add(1)),
            KeyCode::Up => self.mark(self.marked.saturating_sub(1)),
            KeyCode::PageDown if self.detail => self.scroll(i32::from(LINES)),
            KeyCode::PageUp if self.detail => self.scroll(-i32::from(LINES)),
            KeyCode::PageDown => self.mark(self.marked.saturating_add(PAGE)),
            KeyCode::PageUp => self.mark(self.marked.saturating_sub(PAGE)),
            KeyCode::Home => self.mark(0),
            KeyCode::End => self.mark(usize::MAX),
            KeyCode::Char('>') | KeyCode::Right => self.sort_beside(1),
            KeyCode::Char('<') | KeyCode::Left => self.sort_beside(-1),
            KeyCode::Char('r') => {
                if let Some(sorting) = &mut self.sorting {
                    sorting.descending = !sorting.descending;
                }
                self.sort();
                After::Draw
            }
            KeyCode::Char('s') => {
                self.sorting = self.usual_sorting();
                After::Look
            }
            KeyCode::Char('d') => {
                self.count_from_now();
                After::Look
            }
            KeyCode::Char('t') => {
                self.since = None;
                After::Look
            }
            KeyCode::Char('p') => {
                self.paused = !self.paused;
                After::Draw
            }
            _ => After::Draw,
        }
    }

    fn count_from_now(&mut self) {
        self.since = Some(Instant::now());
        // Without a mark the next look makes one, or says why it cannot.
        let _ = self.client.mark();
    }

    fn turn(&mut self, table: usize) -> After {
        self.turn_to(table);
        self.detail = false;
        After::Look
    }

    fn set_detail(&mut self, open: bool) -> After {
        self.detail = open;
        self.scrolled = 0;
        After::Look
    }

    /// `draw` knows how many lines there are.
    fn scroll(&mut self, lines: i32) -> After {
        let scrolled = i32::from(self.scrolled) + lines;
        self.scrolled = u16::try_from(scrolled.max(0)).unwrap_or(u16::MAX);
        After::Draw
    }

    fn mark(&mut self, row: usize) -> After {
        self.marked = row.min(self.rows.len().saturating_sub(1));
        self.scrolled = 0;
        // What is open belongs to another row now.
        if self.detail {
            After::Look
        } else {
            After::Draw
        }
    }

    fn sort_beside(&mut self, step: isize) -> After {
        let columns = self.table().columns.len() as isize;
        let now = self.sorting.as_ref().map(|it| it.column as isize);
        let column = now.map_or(0, |now| (now + step).rem_euclid(columns)) as usize;
        let descending = self.sorting.as_ref().is_none_or(|it| it.descending);
        self.sorting = Some(Sorting { column, descending });
        self.sort();
        After::Draw
    }
}
