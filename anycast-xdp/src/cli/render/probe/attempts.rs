//! What each attempt took, and why some failed.

use super::{
    super::table::{Column, titled},
    ms,
};
use crate::probe::{
    report::{Attempt, Measured, Step},
    times::Time,
};

/// More attempts are not listed: their spread tells more, and JSON has all of them.
const LISTED_MAX: usize = 20;

/// A line each, while they are few; those with a `!` failed.
pub(super) fn attempts(target: &Measured, width: Option<u16>) -> String {
    if target.attempts.len() > LISTED_MAX {
        return String::new();
    }
    let has = |time: Time| target.attempts.iter().any(|attempt| attempt.times.get(time).is_some());
    let times: Vec<Time> = Time::ALL.into_iter().filter(|time| has(*time)).collect();
    let has_status = target.attempts.iter().any(|attempt| attempt.status.is_some());
    let mut columns = vec![Column::Number("#")];
    columns.extend(times.iter().map(|time| Column::Number(head(*time))));
    if has_status {
        columns.extend([Column::Number("STATUS"), Column::Number("BYTES")]);
    }
    columns.push(Column::Text(""));
    let row = |attempt: &Attempt| {
        let mut row = vec![attempt.number.to_string()];
        row.extend(times.iter().map(|time| attempt.times.get(*time).map(ms).unwrap_or_default()));
        if has_status {
            let status = attempt.status.map(|status| status.to_string()).unwrap_or_default();
            row.extend([status, attempt.size_download_bytes.to_string()]);
        }
        row.push(attempt.failure.as_ref().map_or_else(String::new, |_| "!".to_owned()));
        row
    };
    let rows = target.attempts.iter().map(row).collect();
    titled(&format!("Attempts at {}, ms", target.url), &columns, rows, width)
}

/// curl's names without what all of them begin with.
fn head(time: Time) -> &'static str {
    match time {
        Time::NameLookup => "NAMELOOKUP",
        Time::Connect => "CONNECT",
        Time::AppConnect => "APPCONNECT",
        Time::StartTransfer => "STARTTRANSFER",
        Time::Total => "TOTAL",
    }
}

/// Why attempts failed, each reason once.
pub(super) fn failures(target: &Measured, width: Option<u16>) -> String {
    let mut reasons: Vec<(&crate::probe::report::Failure, u32, usize)> = Vec::new();
    for attempt in &target.attempts {
        let Some(failure) = &attempt.failure else { continue };
        match reasons.iter_mut().find(|(known, ..)| *known == failure) {
            Some((_, _, count)) => *count += 1,
            None => reasons.push((failure, attempt.number, 1)),
        }
    }
    let columns =
        [Column::Number("ATTEMPTS"), Column::Number("FIRST"), Column::Whole("FAILED AT"), Column::Text("BECAUSE")];
    let rows = reasons.into_iter().map(|(failure, first, count)| {
        vec![count.to_string(), format!("#{first}"), step(failure.step).to_owned(), failure.reason.clone()]
    });
    titled(&format!("Failures of {}", target.url), &columns, rows.collect(), width)
}

fn step(step: Step) -> &'static str {
    match step {
        Step::NameLookup => "name look-up",
        Step::Connect => "connecting",
        Step::Tls => "TLS",
        Step::Request => "waiting for an answer",
        Step::Body => "the answer",
    }
}
