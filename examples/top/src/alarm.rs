//! What does not go on, in one line: the newest report that is not over, or else the last one.

use serde_json::Value;

use crate::client::Row;
use crate::value::shown;

/// The table, and what is asked of it. The other side may be older, and have other columns.
pub(crate) const TABLE: &str = "stalls";
pub(crate) const COLUMNS: [&str; 11] = [
    "cause",
    "goes_on",
    "age_ms",
    "duration_ms",
    "task_id",
    "task_name",
    "function",
    "system_call",
    "native_target",
    "wait_type",
    "blocking_task_id",
];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// Somebody should look.
    pub(crate) is_loud: bool,
    pub(crate) text: String,
}

/// A report that is over is loud no longer than this.
const LOUD_MS: f64 = 10_000.0;

impl Alarm {
    /// Of the reports, the oldest first; each as `COLUMNS` says.
    pub(crate) fn of(rows: &[Row]) -> Alarm {
        let goes_on = |row: &&Row| row[1] == Value::Bool(true);
        let going_on = rows.iter().filter(goes_on).count();
        // The last of the gravest.
        let gravest = rows.iter().filter(goes_on).max_by_key(|row| gravity(row));
        let newest = gravest.or(rows.last());
        let Some(row) = newest else {
            return Alarm {
                is_loud: false,
                text: "no stall so far".to_owned(),
            };
        };
        let age = row[2].as_f64().unwrap_or(0.0);
        Alarm {
            is_loud: going_on > 0 || age < LOUD_MS,
            text: format!(
                "{}: {}; {going_on} of {} reported {}",
                if going_on > 0 { "stall" } else { "last stall" },
                one(row),
                rows.len(),
                if going_on == 1 { "goes on" } else { "go on" },
            ),
        }
    }
}

/// A circle is why others wait, and so is a thread that is kept.
fn gravity(row: &Row) -> u8 {
    match row[0].as_str() {
        Some("DEADLOCK") => 2,
        Some("LONG WAIT") => 0,
        _ => 1,
    }
}

/// Who, what and since when.
fn one(row: &Row) -> String {
    let [cause, goes_on, age, lasted, task, name, place @ .., blocker] = &row[..] else {
        return String::new();
    };
    let ms = |value: &Value| value.as_f64().unwrap_or(0.0);
    let mut text = shown(cause);
    if !task.is_null() {
        text += &format!(" task {}", shown(task));
    }
    if !name.is_null() {
        text += &format!(" \"{}\"", shown(name));
    }
    if goes_on == &Value::Bool(true) {
        text += &format!(" for {}", time(ms(age) + ms(lasted)));
    } else {
        text += &format!(", {} ago", time(ms(age)));
    }
    // The system call says more than the function that makes it, and what a section calls more than either.
    let [function, call, target, wait] = place else {
        return text;
    };
    let places = [target, wait, call, function];
    if let Some(place) = places.into_iter().find(|place| !place.is_null()) {
        text += &format!(", in {}", shown(place));
    }
    if !target.is_null() && !function.is_null() {
        text += &format!(" ({})", shown(function));
    }
    if !blocker.is_null() {
        text += &format!(", blocked by task {}", shown(blocker));
    }
    text
}

fn time(ms: f64) -> String {
    match ms {
        ms if ms < 1e3 => format!("{ms:.0} ms"),
        ms if ms < 120e3 => format!("{:.1} s", ms / 1e3),
        ms => format!("{:.0} min", ms / 60e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(values: Value) -> Row {
        values.as_array().expect("a list").clone()
    }

    #[test]
    fn what_goes_on_comes_first_and_what_is_long_over_is_quiet() {
        assert!(!Alarm::of(&[]).is_loud);
        let section = row(json!([
            "NATIVE SECTION",
            true,
            5_000.0,
            500.0,
            7,
            "scan",
            null,
            "read",
            "engine: scan",
            null,
            null
        ]));
        let wait = row(json!([
            "LONG WAIT",
            false,
            90_000.0,
            2_000.0,
            9,
            null,
            null,
            null,
            null,
            "Mutex",
            7
        ]));
        let both = Alarm::of(&[section.clone(), wait.clone()]);
        assert!(both.is_loud);
        assert_eq!(
            both.text,
            "stall: NATIVE SECTION task 7 \"scan\" for 5.5 s, in engine: scan; 1 of 2 reported goes on"
        );
        let last = Alarm::of(&[wait]);
        assert!(!last.is_loud);
        assert_eq!(
            last.text,
            "last stall: LONG WAIT task 9, 90.0 s ago, in Mutex, blocked by task 7; 0 of 1 reported go on"
        );
    }

    #[test]
    fn the_gravest_comes_first_and_of_those_the_newest() {
        let report = |cause: &str, goes_on: Value, task: u64| {
            row(json!([
                cause, goes_on, 1.0, 2.0, task, null, null, null, null, null, null
            ]))
        };
        let rows = [
            report("DEADLOCK", json!(true), 1),
            report("STARVED", json!(true), 2),
            report("KERNEL", json!(true), 3),
            report("LONG WAIT", json!(true), 4),
        ];
        let begins = |rows: &[Row], text: &str| Alarm::of(rows).text.starts_with(text);
        assert!(begins(&rows, "stall: DEADLOCK task 1 "));
        assert!(begins(&rows[1..], "stall: KERNEL task 3 "));
        assert!(begins(&rows[3..], "stall: LONG WAIT task 4 "));
    }

    #[test]
    fn the_columns_are_those_that_are_taken_apart() {
        assert_eq!(COLUMNS.len(), 11);
        let row = row(json!([
            "USER LOOP",
            true,
            1.0,
            20.0,
            1,
            null,
            "spin",
            null,
            null,
            null,
            null
        ]));
        assert_eq!(one(&row), "USER LOOP task 1 for 21 ms, in spin");
    }
}
