//! What `demo --world` prints.

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{
    super::text::table,
    story::{Entry, Step, Told},
};
use crate::lab::{
    players::{Record, Seen},
    world::plan::{ACCESS, CARRIERS, POPS, REGIONS},
};

/// Who is who.
pub(super) fn cast(out: &mut impl Write) -> io::Result<()> {
    let names = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>().join(", ");
    writeln!(
        out,
        "\nA game company has its servers in {}, with {} to take over. Its players are in the ASes of {}; the carriers {}\n\
         do not peer with one another. One address is announced by BGP from PoPs at {}; a private backbone leads home,\n\
         and answers leave by the PoP that the player came in by.\n",
        REGIONS[0].name,
        REGIONS[1].name,
        names(&mut ACCESS.iter().map(|plan| plan.name)),
        names(&mut CARRIERS.iter().map(|plan| plan.name)),
        names(&mut POPS.iter().map(|plan| plan.name)),
    )
}

/// Everybody enters nearby, and one region serves all.
pub(super) fn entries(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    writeln!(out, "All is well (ping, milliseconds there and back):\n")?;
    let mut table = table(&["players at", "enter at", "the anycast address", "the home region's own address"], 2);
    for (plan, entry) in ACCESS.iter().zip(entries) {
        let home = entry.home_round_trip.map_or_else(|| "no way".to_owned(), in_millis);
        table.add_row([plan.name.to_owned(), pop(entry.pop), in_millis(entry.round_trip), home]);
    }
    writeln!(out, "{table}")
}

/// What is about to happen.
pub(super) fn headline(out: &mut impl Write, number: usize, step: &Step) -> io::Result<()> {
    writeln!(out, "\n{number}. {}: {}\n", capital(step.what), step.how)
}

/// What players saw of it.
pub(super) fn told(out: &mut impl Write, step: &Step, told: &Told) -> io::Result<()> {
    let header = ["players at", "use", "enter at", "lost", "of", "longest gap", "broken connections"];
    let mut table = table(&header, 3);
    for ((plan, observed), entries) in ACCESS.iter().zip(&told.observed).zip(&told.entries) {
        let way = match entries {
            [before, meanwhile] if before == meanwhile => pop(*before),
            [before, meanwhile] => format!("{} → {}", pop(*before), pop(*meanwhile)),
        };
        let seen = observed.vips.iter().map(Seen::total).fold(Record::default(), Record::with);
        table.add_row(row(plan.name, "the anycast address", way, &seen, told.watched));
        match observed.home {
            Some(seen) => {
                table.add_row(row(plan.name, "the home region's own", "–".into(), &seen.total(), told.watched))
            }
            None => table.add_row([plan.name, "the home region's own", "–", "all", "", "no way", ""]),
        };
    }
    writeln!(out, "{table}\n   Without anycast, {}.", step.otherwise)
}

fn row(players: &str, what: &str, way: String, seen: &Record, watched: Duration) -> [String; 7] {
    // Nothing came back from the failure on, for as long as it was there.
    let gap =
        if seen.longest_gap >= watched { "until repaired".to_owned() } else { format!("{} ms", in_whole_millis(seen)) };
    [
        players.to_owned(),
        what.to_owned(),
        way,
        seen.lost.to_string(),
        seen.sent.to_string(),
        gap,
        seen.broken.to_string(),
    ]
}

fn pop(pop: Option<usize>) -> String {
    pop.map_or("nowhere", |pop| POPS[pop].name).to_owned()
}

fn in_millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

fn in_whole_millis(seen: &Record) -> u128 {
    seen.longest_gap.as_millis()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
