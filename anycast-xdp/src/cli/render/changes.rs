//! Text of what changes: `plan`, `diff`, and the answer to every change.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    style::{Colour, Style},
    values::{shown, word},
};
use crate::api::types::{Action, Change, ChangeResult, Diff, FailbackResult, FieldChange, Plan};

/// With more changes than this, the answer to a change only counts them: `diff` has them all.
const TOLD_MAX: usize = 50;

/// What `apply` of `file` would do.
pub fn plan(plan: &Plan, file: &str, style: Style) -> String {
    let revision = plan.base_revision;
    if plan.changes.is_empty() {
        return format!("nothing to do: revision {revision} is what {file} says\n");
    }
    let force = if plan.needs_force { "; it removes much: `apply` wants --force" } else { "" };
    format!("{}\n{}, from revision {revision}{force}\n", changes(&plan.changes, style), counts(&plan.changes, "to "))
}

/// What is different between two revisions.
pub fn diff(diff: &Diff, style: Style) -> String {
    let Diff { from, to, changes: all } = diff;
    if all.is_empty() {
        return format!("nothing is different between revisions {from} and {to}\n");
    }
    format!("{}\n{}, from revision {from} to {to}\n", changes(all, style), counts(all, ""))
}

/// What a change did.
pub fn change_result(result: &ChangeResult, style: Style) -> String {
    let ChangeResult { revision, applied, changes: all } = result;
    let datapath = if *applied { "the datapath has it" } else { "the datapath does not have it yet" };
    if all.is_empty() {
        return format!("nothing changed: it is so in revision {revision}; {datapath}\n");
    }
    let told = if all.len() > TOLD_MAX { String::new() } else { format!("{}\n", changes(all, style)) };
    format!("{told}revision {revision}: {}; {datapath}\n", counts(all, ""))
}

/// Which bindings went back to a pool.
pub fn failback(FailbackResult { pool, moved }: &FailbackResult) -> String {
    if moved.is_empty() {
        return format!("nothing moved: no binding waits for {pool}\n");
    }
    let bindings = moved.iter().map(|binding| format!("  {}\n", binding.pools.join(", ")));
    format!("new flows of these bindings go to {pool} now:\n{}", bindings.collect::<String>())
}

/// `1 to create, 2 to delete`.
fn counts(changes: &[Change], to: &str) -> String {
    let verbs = [(Action::Create, "create"), (Action::Update, "update"), (Action::Delete, "delete")];
    let counted = verbs.into_iter().filter_map(|(action, verb)| {
        let count = changes.iter().filter(|change| change.action == action).count();
        let past = if to.is_empty() { "d" } else { "" };
        (count > 0).then(|| format!("{count} {to}{verb}{past}"))
    });
    counted.collect::<Vec<_>>().join(", ")
}

fn changes(changes: &[Change], style: Style) -> String {
    let mut out = String::new();
    for change in changes {
        let (sign, colour) = match change.action {
            Action::Create => ('+', Colour::Green),
            Action::Update => ('~', Colour::Yellow),
            Action::Delete => ('-', Colour::Red),
        };
        let head = format!("{sign} {} {}", change.kind, word(&change.name));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", style.paint(colour, &head));
        // Of what goes the name is enough: `get` and `diff` have the rest.
        if change.action != Action::Delete {
            out.push_str(&fields(change, style));
        }
    }
    out
}

/// The keys, one a line, and lists by what comes and goes in them.
fn fields(change: &Change, style: Style) -> String {
    let width = change.fields.iter().map(|field| field.field.chars().count()).max().unwrap_or_default();
    let signed = change.action == Action::Update;
    let mut out = String::new();
    for field in &change.fields {
        for (sign, colour, text) in rows(field) {
            let sign = if signed { format!("{sign} ") } else { String::new() };
            // What has several lines stands below its first one.
            let indent = format!("\n{:1$}", "", 4 + sign.len() + width + 2);
            let line = format!("    {sign}{:width$}  {}", field.field, text.replace('\n', &indent));
            for line in line.lines() {
                let _ = writeln!(out, "{}", style.paint(colour, line.trim_end()));
            }
        }
    }
    out
}

fn rows(change: &FieldChange) -> Vec<(char, Colour, String)> {
    match (&change.before, &change.after) {
        (None, None) => Vec::new(),
        (None, Some(after)) => vec![('+', Colour::Green, shown(after))],
        (Some(before), None) => vec![('-', Colour::Red, shown(before))],
        (Some(Value::Array(before)), Some(Value::Array(after))) if !is_reordered(before, after) => {
            let gone = before.iter().filter(|element| !after.contains(element));
            let come = after.iter().filter(|element| !before.contains(element));
            let gone = gone.map(|element| ('-', Colour::Red, shown(element)));
            gone.chain(come.map(|element| ('+', Colour::Green, shown(element)))).collect()
        }
        (Some(before), Some(after)) => {
            vec![('~', Colour::Yellow, format!("{} -> {}", shown(before), shown(after)))]
        }
    }
}

/// Is all that stays of a list in another order? The order of fall-backs matters.
fn is_reordered(before: &[Value], after: &[Value]) -> bool {
    let stays = before.iter().filter(|element| after.contains(element));
    !stays.eq(after.iter().filter(|element| before.contains(element)))
}
