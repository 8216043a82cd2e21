//! Which rules have a script: a table that is made from the scripts.

use std::fmt::Write;

use crate::rules::RULES;
use crate::script::Script;

/// The table. A rule that no script names stands there with nothing.
///
/// # Panics
/// If a script names a rule that there is not.
pub fn table(scripts: &[Script]) -> String {
    for script in scripts {
        for (rule, _) in script.covers() {
            let known = RULES.iter().any(|(name, _)| *name == rule);
            assert!(known, "{}: there is no rule {rule}", script.name);
        }
    }
    let mut rows = String::new();
    let (mut all, mut partly) = (0, 0);
    for (rule, words) in RULES {
        let who = |whole: bool| {
            let named = |script: &&Script| script.covers().any(|named| named == (rule, whole));
            let names: Vec<&str> = scripts
                .iter()
                .filter(named)
                .map(|script| &*script.name)
                .collect();
            names.join(", ")
        };
        let (whole, part) = (who(true), who(false));
        all += usize::from(!whole.is_empty());
        partly += usize::from(whole.is_empty() && !part.is_empty());
        writeln!(rows, "| {rule} | {words} | {whole} | {part} |").expect("a string takes it");
    }
    let none = RULES.len() - all - partly;
    format!(
        "# Rules and their scripts\n\n\
         Made from the scripts by `cargo test -p fiberhost-simulator`, which also says how to make it anew.\n\
         Of {} rules {all} are covered by a script, {partly} in part, and {none} by none.\n\n\
         | rule | in a few words | script | in part |\n|---|---|---|---|\n{rows}",
        RULES.len(),
    )
}
