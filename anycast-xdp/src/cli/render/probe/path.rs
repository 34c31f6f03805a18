//! The way to the VIP, and the PoP that it enters at.

use std::fmt::Write as _;

use super::{
    super::{
        Style,
        style::Colour,
        table::{Column, titled},
    },
    ms,
};
use crate::probe::{
    entry::{Certainty, Entry},
    report::{Path, Report},
    walk::{End, Walk},
};

/// What is measured, and where it enters.
pub(super) fn head(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for (name, target) in ["url", "compared"].into_iter().zip(&report.targets) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<9} {}", target.url);
    }
    let path = &report.path;
    if let Some(address) = path.address {
        let _ = writeln!(out, "address   {address}");
    }
    if let Some(failure) = &path.failure {
        out.push_str(&style.paint(Colour::Red, &format!("way       not known: {failure}")));
        out.push('\n');
    }
    if path.before.is_some() {
        let pop = path.entry.as_ref().map_or_else(|| "not known: no router answered".to_owned(), entry);
        let _ = writeln!(out, "PoP       {pop}");
    }
    match (path.entry_changed, &path.entry_after) {
        (Some(true), Some(after)) => {
            let line = format!("          in the end another one: {}", entry(after));
            out.push_str(&style.paint(Colour::Yellow, &line));
            out.push('\n');
        }
        (Some(false), _) => out.push_str("          the same before and after the attempts\n"),
        _ => {}
    }
    out
}

fn entry(entry: &Entry) -> String {
    let name = match &entry.name {
        Some(name) => format!("{name} ({})", entry.address),
        None => entry.address.to_string(),
    };
    let certainty = match entry.certainty {
        Certainty::Listed => "its address is listed",
        Certainty::LastRouter => "the last router before the VIP",
        Certainty::BeforeSilence => "the last router that answered; some behind it did not",
        Certainty::NotListed => "the last router that answered; it is none of the PoPs that are listed",
    };
    format!("{name}, hop {}: {certainty}", entry.hop)
}

/// The hops before the attempts, and after them where they are others.
pub(super) fn hops(path: &Path, width: Option<u16>) -> String {
    let table = |walk: &Walk, title: &str| titled(title, &COLUMNS, rows(walk), width) + end(walk);
    let Some(before) = &path.before else { return String::new() };
    let addresses = |walk: &Walk| walk.hops.iter().map(|hop| hop.address).collect::<Vec<_>>();
    match path.after.as_ref().filter(|after| addresses(after) != addresses(before)) {
        None => table(before, "Way"),
        Some(after) => table(before, "Way before the attempts") + &table(after, "Way after the attempts"),
    }
}

const COLUMNS: [Column; 4] =
    [Column::Number("HOP"), Column::Whole("ADDRESS"), Column::Number("MS"), Column::Text("NAME")];

fn rows(walk: &Walk) -> Vec<Vec<String>> {
    let row = |hop: &crate::probe::walk::Hop| {
        vec![
            hop.hop.to_string(),
            hop.address.map_or_else(|| "no answer".to_owned(), |address| address.to_string()),
            hop.rtt.map(ms).unwrap_or_default(),
            hop.name.clone().unwrap_or_default(),
        ]
    };
    walk.hops.iter().map(row).collect()
}

/// Of what is not in the table.
fn end(walk: &Walk) -> &'static str {
    match (walk.end, walk.hops.is_empty()) {
        (End::Silent, true) => "\nNo router on the way answered\n",
        (End::Silent, false) => "  nothing behind it answered\n",
        (End::Unreachable, _) => "  which says that there is no way on\n",
        (End::TooLong, _) => "  and so on: the packets may go round\n",
        (End::Reached, _) => "",
    }
}
