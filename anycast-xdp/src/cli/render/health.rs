//! Text of `health`.

use std::{fmt::Write as _, time::Duration};

use super::{
    style::Style,
    table::{Column, plain},
    values::word,
};
use crate::health::view::{BackendHealth, HealthState, ProbeTold};

/// The backends, one a row, and below them what the last probe of each said that was no success.
pub fn health(backends: &[BackendHealth], style: Style) -> String {
    if backends.is_empty() {
        return "no pool has a check\n".to_owned();
    }
    let columns = [
        Column::Text("POOL"),
        Column::Whole("BACKEND"),
        Column::Text("CHECK"),
        Column::Text("STATE"),
        Column::Number("SINCE"),
        Column::Number("RTT"),
        Column::Number("OK"),
        Column::Number("FAILED"),
        Column::Number("CHANGES"),
        Column::Number("PENALTY"),
    ];
    let rows = backends.iter().map(|backend| {
        vec![
            word(&backend.pool),
            backend.backend.to_string(),
            backend.check.clone(),
            state(backend),
            backend.since_secs.map_or_else(|| "-".to_owned(), time),
            backend.rtt_us.map_or_else(|| "-".to_owned(), |us| format!("{:.1} ms", ms(us))),
            backend.successes.to_string(),
            backend.failures.to_string(),
            backend.transitions.to_string(),
            format!("{:.0}", backend.penalty),
        ]
    });
    let mut text = plain(&columns, rows.collect(), style.width);
    for backend in backends {
        let Some(error) = backend.last.as_ref().and_then(|last| Some((last.error.as_ref()?, last.ago_secs))) else {
            continue;
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{} {}: {} ago: {}", word(&backend.pool), backend.backend, time(error.1), word(error.0));
    }
    if text.ends_with('\n') { text } else { text + "\n" }
}

/// What each probe came to, step by step.
pub fn checked(probes: &[ProbeTold]) -> String {
    let mut text = String::new();
    for probe in probes {
        let _ = writeln!(text, "{} {}, {} by {}", word(&probe.pool), probe.backend, probe.check, probe.vip);
        for step in &probe.steps {
            let _ = writeln!(text, "{:>10.3} ms  {}", ms(step.after_us), word(&step.what));
        }
        let result =
            probe.error.as_ref().map_or_else(|| "success".to_owned(), |error| format!("failed: {}", word(error)));
        let _ = writeln!(text, "{:>10.3} ms  {result}", ms(probe.took_us));
    }
    text
}

fn state(backend: &BackendHealth) -> String {
    match (backend.state, backend.suppressed_secs) {
        (HealthState::Up, _) if backend.last.is_none() => "up, not probed yet".to_owned(),
        (HealthState::Up, _) => "up".to_owned(),
        (HealthState::Down, None) => "down".to_owned(),
        (HealthState::Down, Some(secs)) => format!("down, flaps, for {} more", time(secs)),
    }
}

fn ms(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1000.0
}

/// Seconds in the largest unit that there is one of.
fn time(secs: f64) -> String {
    match secs {
        secs if secs < 1.0 => format!("{:.0} ms", secs * 1000.0),
        secs if secs < 120.0 => format!("{secs:.0} s"),
        secs if secs < 7200.0 => format!("{:.0} min", secs / 60.0),
        secs if secs < 172_800.0 => format!("{:.0} h", secs / 3600.0),
        secs => format!("{:.0} d", secs / 86_400.0),
    }
}
