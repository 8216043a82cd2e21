//! What a table of the operator's view is: rows with named, described columns, as JSON lines and as Prometheus text.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnKind {
    /// Part of what tells the rows of a table apart. In Prometheus text a label of each metric of the row.
    Key,
    /// A number or a flag that may rise and fall.
    Gauge,
    /// A number that only rises, as long as the scheduler lives.
    Counter,
    /// Text, or a number that names something. Not in Prometheus text.
    Fact,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name. Where SQL Server shows the same, it is SQL Server's.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
}

impl Column {
    pub(crate) const fn new(name: &'static str, kind: ColumnKind, meaning: &'static str) -> Column {
        Column {
            name,
            kind,
            meaning,
        }
    }
}

/// A value in a row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cell<'a> {
    /// There is none.
    Nothing,
    /// A count, or a number that names something.
    Number(u64),
    /// A quantity, such as milliseconds with their fractions.
    Quantity(f64),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(Cow<'a, str>),
}

impl Cell<'_> {
    fn json(&self, out: &mut String) {
        let _ = match self {
            Cell::Number(number) => write!(out, "{number}"),
            Cell::Quantity(quantity) if quantity.is_finite() => write!(out, "{quantity}"),
            Cell::Nothing | Cell::Quantity(_) => write!(out, "null"),
            Cell::Flag(flag) => write!(out, "{flag}"),
            Cell::Text(text) => return json_text(text, out),
        };
    }

    /// As a label's value; nothing is empty text, as Prometheus has it.
    fn label(&self) -> String {
        match self {
            Cell::Nothing => String::new(),
            Cell::Number(number) => number.to_string(),
            Cell::Quantity(quantity) => quantity.to_string(),
            Cell::Flag(flag) => flag.to_string(),
            Cell::Text(text) => text.to_string(),
        }
    }

    fn sample(&self) -> Option<f64> {
        match self {
            Cell::Number(number) => Some(*number as f64),
            Cell::Quantity(quantity) => Some(*quantity),
            Cell::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Cell::Nothing | Cell::Text(_) => None,
        }
    }
}

/// What can stand in a row.
pub(crate) trait InCell {
    fn cell(&self) -> Cell<'_>;
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl InCell for $type {
            fn cell(&self) -> Cell<'_> {
                Cell::Number(*self as u64)
            }
        })*
    };
}

numbers!(u32, u64, usize);

impl InCell for f64 {
    fn cell(&self) -> Cell<'_> {
        Cell::Quantity(*self)
    }
}

impl InCell for bool {
    fn cell(&self) -> Cell<'_> {
        Cell::Flag(*self)
    }
}

impl InCell for String {
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.into())
    }
}

impl InCell for &'static str {
    fn cell(&self) -> Cell<'_> {
        Cell::Text((*self).into())
    }
}

impl InCell for Arc<str> {
    fn cell(&self) -> Cell<'_> {
        Cell::Text((&**self).into())
    }
}

impl<T: InCell> InCell for Option<T> {
    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Nothing, InCell::cell)
    }
}

/// A row of one of the tables in [`views`](crate::views).
pub trait Row {
    /// The table's name.
    const TABLE: &'static str;
    /// What a row stands for.
    const MEANING: &'static str;
    /// The table's columns, in the order of [`cells`](Row::cells).
    const COLUMNS: &'static [Column];

    /// The values of this row.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// Makes a row's type of its fields, each with its kind of column and its description.
macro_rules! table {
    (
        $(#[doc = $meaning:literal])+
        $name:ident in $table:literal {
            $($(#[doc = $doc:literal])+ $kind:ident $column:ident: $type:ty,)+
        }
    ) => {
        $(#[doc = $meaning])+
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $doc])+ pub $column: $type,)+
        }

        impl $crate::views::table::Row for $name {
            const TABLE: &'static str = $table;
            const MEANING: &'static str = concat!($($meaning),+).trim_ascii();
            const COLUMNS: &'static [$crate::views::table::Column] = &[$(
                $crate::views::table::Column::new(
                    stringify!($column),
                    $crate::views::table::ColumnKind::$kind,
                    concat!($($doc),+).trim_ascii(),
                ),
            )+];

            fn cells(&self) -> Vec<$crate::views::table::Cell<'_>> {
                vec![$($crate::views::table::InCell::cell(&self.$column)),+]
            }
        }
    };
}

pub(crate) use table;

pub(crate) fn ms(time: Duration) -> f64 {
    // One rounding, so that it is written with as many digits as it has.
    time.as_nanos() as f64 / 1e6
}

/// The rows as JSON lines: an object each, with the columns in their order, and `null` where there is no value.
pub fn json_lines<R: Row>(rows: &[R]) -> String {
    let all: Vec<usize> = (0..R::COLUMNS.len()).collect();
    json_lines_picked(rows, &all)
}

/// The same with the columns that stand at these places.
pub(crate) fn json_lines_picked<R: Row>(rows: &[R], picked: &[usize]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells = row.cells();
        text.push('{');
        for &place in picked {
            if !text.ends_with('{') {
                text.push(',');
            }
            json_text(R::COLUMNS[place].name, &mut text);
            text.push(':');
            cells[place].json(&mut text);
        }
        text.push_str("}\n");
    }
    text
}

/// The rows in Prometheus's text format: a metric for each gauge and counter, `fiberhost_` and the names of table and column
/// (counters with `_total`), with the keys of the row as labels and the given ones before them.
pub fn prometheus<R: Row>(rows: &[R], labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let rows: Vec<_> = rows.iter().map(Row::cells).collect();
    let of_row = |cells: &[Cell<'_>]| {
        let keys = R::COLUMNS.iter().zip(cells);
        let keys = keys.filter(|(column, _)| column.kind == ColumnKind::Key);
        let keys = keys.map(|(column, cell)| (column.name, cell.label()));
        let given = labels.iter().map(|&(name, value)| (name, value.to_owned()));
        let all: Vec<String> = given
            .chain(keys)
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(&value)))
            .collect();
        if all.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", all.join(","))
        }
    };
    let of_rows: Vec<String> = rows.iter().map(|cells| of_row(cells)).collect();
    for (index, column) in R::COLUMNS.iter().enumerate() {
        let (kind, suffix) = match column.kind {
            ColumnKind::Gauge => ("gauge", ""),
            ColumnKind::Counter => ("counter", "_total"),
            ColumnKind::Key | ColumnKind::Fact => continue,
        };
        let name = format!("fiberhost_{}_{}{suffix}", R::TABLE, column.name);
        let help = column.meaning.replace('\\', "\\\\").replace('\n', " ");
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (cells, labels) in rows.iter().zip(&of_rows) {
            if let Some(sample) = cells[index].sample() {
                let _ = writeln!(text, "{name}{labels} {sample}");
            }
        }
    }
    text
}

/// A string of JSON. The library for it would be seen by whoever depends on this crate: with its comparisons of numbers the
/// compiler no longer finds types by itself where it did before.
pub(crate) fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "tables make public rows")]
mod tests {
    use super::*;
    use serde_json::Value;

    table! {
        /// A row
        /// for a test.
        TestRow in "test" {
            /// Tells them apart.
            Key id: String,
            /// Rises.
            Counter events_count: u64,
            /// May be there.
            Gauge level: Option<f64>,
            /// Says something.
            Fact word: &'static str,
        }
    }

    fn rows() -> [TestRow; 2] {
        [
            TestRow {
                id: "a \"b\"\\\n".to_owned(),
                events_count: u64::MAX,
                level: Some(0.5),
                word: "x",
            },
            TestRow {
                id: String::new(),
                events_count: 0,
                level: None,
                word: "\u{1}\u{7f}ü\t",
            },
        ]
    }

    #[test]
    fn json_lines_are_read_back_as_what_they_were_written_from() {
        let text = json_lines(&rows());
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is an object"))
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["id"], "a \"b\"\\\n");
        assert_eq!(lines[0]["events_count"], u64::MAX);
        assert_eq!(lines[0]["level"], 0.5);
        assert_eq!(lines[1]["level"], Value::Null);
        assert_eq!(lines[1]["word"], "\u{1}\u{7f}ü\t");
        assert!(text.starts_with("{\"id\":"), "columns keep their order");
    }

    #[test]
    fn prometheus_text_escapes_labels_and_leaves_out_what_is_no_number() {
        let text = prometheus(&rows(), &[("scheduler", "one")]);
        assert!(text.contains("# TYPE fiberhost_test_events_count_total counter\n"));
        assert!(text.contains("# HELP fiberhost_test_level May be there.\n"));
        assert!(
            text.contains(
                "fiberhost_test_level{scheduler=\"one\",id=\"a \\\"b\\\"\\\\\\n\"} 0.5\n"
            )
        );
        assert!(!text.contains("word"));
        assert_eq!(text.matches("fiberhost_test_level{").count(), 1);
    }

    #[test]
    fn a_meaning_over_several_lines_is_one_text() {
        assert_eq!(TestRow::MEANING, "A row for a test.");
    }
}
