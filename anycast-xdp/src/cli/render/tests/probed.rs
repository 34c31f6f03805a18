//! What `probe` looks like.

use std::{net::IpAddr, time::Duration};

use crate::{
    cli::render::{Style, probe},
    probe::{
        entry::{entry, is_same},
        pops::Pops,
        report::{Attempt, Failure, Measured, Path, Report, Step},
        times::Times,
        walk::{End, Hop, Walk},
    },
};

const URL: &str = "https://www.example.com/";
const ORIGIN: &str = "https://origin.example.com/";
const TERMINAL: Style = Style { width: Some(80), colours: false };

#[expect(clippy::unnecessary_wraps, reason = "times are optional")]
fn micros(micros: u64) -> Option<Duration> {
    Some(Duration::from_micros(micros))
}

fn attempt(number: u32, round_trip_micros: u64) -> Attempt {
    let times = Times {
        time_namelookup: micros(310),
        time_connect: micros(310 + round_trip_micros),
        time_appconnect: micros(700 + 2 * round_trip_micros),
        time_starttransfer: micros(800 + 3 * round_trip_micros),
        time_total: micros(850 + 3 * round_trip_micros),
    };
    Attempt {
        number,
        address: Some([192, 0, 2, 80].into()),
        times,
        status: Some(200),
        size_download_bytes: 1256,
        failure: None,
    }
}

fn failed(number: u32, step: Step, reason: &str) -> Attempt {
    let time_namelookup = micros(300).filter(|_| step != Step::NameLookup);
    let times = Times { time_namelookup, time_total: micros(5_000_300), ..Times::default() };
    let failure = Some(Failure { step, reason: reason.to_owned() });
    Attempt { times, status: None, size_download_bytes: 0, failure, ..attempt(number, 0) }
}

/// Round trips in microseconds, with a little of everything.
fn attempts(round_trip_micros: u64) -> Vec<Attempt> {
    [0, 140, 90, 400, 30, 220, 60, 2900, 130, 10]
        .into_iter()
        .zip(1..)
        .map(|(more, number)| attempt(number, round_trip_micros + more))
        .collect()
}

fn walk(hosts: &[(&str, &str)], end: End) -> Walk {
    let hop = |(hop, (address, name)): (u8, &(&str, &str))| Hop {
        hop,
        address: address.parse::<IpAddr>().ok(),
        rtt: address.parse::<IpAddr>().ok().and_then(|_| micros(400 * u64::from(hop))),
        name: (!name.is_empty()).then(|| (*name).to_owned()),
    };
    Walk { hops: (1..).zip(hosts).map(hop).collect(), end }
}

fn path(before: Walk, after: Walk, pops: &[&str]) -> Path {
    let mut known = Pops::default();
    for pop in pops {
        known.add(pop.parse().unwrap()).unwrap();
    }
    let (entry, entry_after) = (entry(&before, &known), entry(&after, &known));
    let entry_changed = entry.as_ref().zip(entry_after.as_ref()).map(|(one, other)| !is_same(one, other));
    let address = Some([192, 0, 2, 80].into());
    Path { address, before: Some(before), after: Some(after), entry, entry_after, entry_changed, failure: None }
}

fn ordinary_path() -> Path {
    let walk = walk(&[("198.51.100.1", "gw.example.net"), ("", ""), ("203.0.113.1", "hkg1.example.com")], End::Silent);
    path(walk.clone(), walk, &["hongkong=203.0.113.1"])
}

fn compared() -> Report {
    let targets =
        vec![Measured::new(URL.to_owned(), attempts(12_000)), Measured::new(ORIGIN.to_owned(), attempts(47_000))];
    Report::new(targets, ordinary_path())
}

#[test]
fn comparison_at_80_columns() {
    insta::assert_snapshot!(probe(&compared(), TERMINAL));
}

#[test]
fn comparison_in_json() {
    let report = Report::new(vec![Measured::new(URL.to_owned(), vec![attempt(1, 12_000)]); 2], ordinary_path());
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn failures_are_told_once_and_another_entry_is_too() {
    let mut attempts = attempts(12_000);
    attempts[3] = failed(4, Step::Connect, "nothing within 5 s");
    attempts[6] = failed(7, Step::Connect, "nothing within 5 s");
    attempts[8] = failed(9, Step::Tls, "invalid peer certificate: UnknownIssuer; --insecure takes any certificate");
    let before = walk(&[("198.51.100.1", ""), ("203.0.113.1", "")], End::Silent);
    let after = walk(&[("198.51.100.1", ""), ("", ""), ("203.0.113.9", ""), ("192.0.2.80", "")], End::Reached);
    let report = Report::new(vec![Measured::new(URL.to_owned(), attempts)], path(before, after, &[]));
    insta::assert_snapshot!(probe(&report, TERMINAL));
}

#[test]
fn nothing_that_works_is_told_as_well() {
    let attempts = vec![failed(1, Step::NameLookup, "Name or service not known")];
    let none = Path {
        address: None,
        before: None,
        after: None,
        entry: None,
        entry_after: None,
        entry_changed: None,
        failure: Some("Name or service not known".to_owned()),
    };
    let report = Report::new(vec![Measured::new(URL.to_owned(), attempts)], none);
    insta::assert_snapshot!(probe(&report, TERMINAL));
}

/// No line is longer than the terminal, but for the head, which is copied from, and titles.
#[test]
fn histogram_respects_the_width() {
    for width in [50, 80, 132] {
        let text = probe(&compared(), Style { width: Some(width), colours: false });
        let spread = text.split("Spread of time_total, ms\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let longest = spread.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= usize::from(width), "{longest} columns at {width}:\n{spread}");
        assert!(longest + 15 > usize::from(width), "{longest} columns at {width}:\n{spread}");
    }
}

#[test]
fn colours_change_no_word() {
    let coloured = probe(&compared(), Style { width: Some(80), colours: true });
    assert!(coloured.contains("\x1b[32m#"), "{coloured:?}");
    let plain: String =
        ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(plain, probe(&compared(), TERMINAL));
}
