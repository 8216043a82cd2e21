//! One object a line, for programs.

use super::standing::{Standing, Standings};

pub(crate) fn print(standings: &Standings) {
    for row in &standings.rows {
        println!("{}", object(standings, row));
    }
}

fn object(standings: &Standings, row: &Standing) -> String {
    let mut members = vec![
        ("case".to_owned(), text(standings.case.name)),
        ("workers".to_owned(), standings.workers.to_string()),
        ("who".to_owned(), text(row.who.name())),
    ];
    let mut add = |name: &str, value: String| members.push((name.to_owned(), value));
    match &row.result {
        Ok(summary) => {
            add("ns", number(summary.ns));
            add("p10", number(summary.p10));
            add("p90", number(summary.p90));
            add("rounds", summary.rounds.len().to_string());
            if let Some(ratio) = &summary.ratio {
                add("ratio", number(ratio.median));
                add("ratio_low", number(ratio.low));
                add("ratio_high", number(ratio.high));
            }
            for (name, value) in &summary.fields {
                add(name, number(*value));
            }
        }
        Err(why) => {
            for name in ["ns", "p10", "p90"] {
                add(name, "null".to_owned());
            }
            add("rounds", "0".to_owned());
            add("note", text(why));
        }
    }
    if let Some(flavour) = row.who.flavour() {
        add("flavour", text(flavour));
    }
    if let Some((flavour, ns)) = row.other_flavour {
        add(&format!("{flavour}_ns"), number(ns));
    }
    if standings.is_best_peer(row) {
        add("best_peer", "true".to_owned());
    }
    if !row.about.is_empty() {
        add("about", text(&row.about));
    }
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", text(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// JSON knows no infinity.
fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value}")
    } else {
        "null".to_owned()
    }
}

fn text(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
