//! What is faster, and how sure that is.

use super::super::{
    Style,
    style::Colour,
    table::{Column, titled},
};
use crate::probe::{
    compare::Verdict,
    report::{Compared, Report},
    times::Time,
};

const COLUMNS: [Column; 6] = [
    Column::Whole("TIME"),
    Column::Number("MS"),
    Column::Number("%"),
    Column::Number("FROM"),
    Column::Number("TO"),
    Column::Text("URL IS"),
];

/// Of every time, and `time_total` in words.
pub(super) fn differences(report: &Report, style: Style) -> String {
    if report.targets.len() < 2 {
        return String::new();
    }
    let rows: Vec<_> =
        Time::ALL.iter().filter_map(|time| Some(row(*time, report.differences.get(time.name())?))).collect();
    if rows.is_empty() {
        return "\nNothing to compare: in no round did both attempts succeed\n".to_owned();
    }
    let mut out = titled(
        "Difference: url less compared (median, and where it lies with 95 % confidence)",
        &COLUMNS,
        rows,
        style.width,
    );
    if let Some(total) = report.differences.get(Time::Total.name()) {
        let (colour, words) = conclusion(total);
        out.push('\n');
        out.push_str(&style.paint(colour, &words));
        out.push('\n');
    }
    out
}

fn row(time: Time, compared: &Compared) -> Vec<String> {
    let bound = |of: fn((f64, f64)) -> f64| {
        compared.interval_secs.map(|bounds| signed(of(bounds) * 1000.0)).unwrap_or_default()
    };
    let verdict = match compared.verdict {
        Verdict::Faster => "faster",
        Verdict::Slower => "slower",
        Verdict::WithinNoise => "within noise",
        Verdict::TooFew => "too few to tell",
    };
    vec![
        time.name().to_owned(),
        signed(compared.median_secs * 1000.0),
        compared.percent.map(|percent| format!("{percent:+.0}")).unwrap_or_default(),
        bound(|(lower, _)| lower),
        bound(|(_, upper)| upper),
        verdict.to_owned(),
    ]
}

fn signed(ms: f64) -> String {
    format!("{ms:+.2}")
}

fn conclusion(total: &Compared) -> (Colour, String) {
    let ms = (total.median_secs * 1000.0).abs();
    let percent = total.percent.map(|percent| format!(", {:.0} %", percent.abs())).unwrap_or_default();
    match total.verdict {
        Verdict::Faster => {
            (Colour::Green, format!("The URL is faster than the compared one by {ms:.2} ms{percent} (time_total)"))
        }
        Verdict::Slower => {
            (Colour::Red, format!("The URL is slower than the compared one by {ms:.2} ms{percent} (time_total)"))
        }
        Verdict::WithinNoise => (
            Colour::Yellow,
            "Neither is faster: the difference of time_total is within noise; a higher --count tells more".to_owned(),
        ),
        Verdict::TooFew => {
            (Colour::Yellow, "Too few attempts to tell which is faster: use --count 6 or more".to_owned())
        }
    }
}
