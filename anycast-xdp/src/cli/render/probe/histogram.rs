//! Bars of `#` and `+`: readable without colours, and in any terminal.

use std::{fmt::Write as _, time::Duration};

use super::{
    super::{Style, style::Colour},
    WIDTH_OF_A_PIPE,
};
use crate::probe::histogram::{Bin, Histogram};

/// What bars of the first series, and of the second, are made of.
const SERIES: [(char, Colour); 2] = [('#', Colour::Green), ('+', Colour::Yellow)];
/// Blanks between columns.
const GAP: usize = 2;
/// A bar is at least as long as this where the largest count is.
const BAR_MIN: usize = 5;

/// `time_total` of one series or two, side by side on one scale.
pub(super) fn histogram(histogram: &Histogram, heads: &[&str], style: Style) -> String {
    let Some(first) = histogram.bins.first() else { return String::new() };
    let decimals = decimals(first);
    let labels: Vec<String> = histogram.bins.iter().map(|bin| label(bin, decimals)).collect();
    let label_width = labels.iter().map(String::len).max().unwrap_or(0);
    let width = usize::from(style.width.unwrap_or(WIDTH_OF_A_PIPE));
    let column_width = width.saturating_sub(label_width) / heads.len().max(1);
    let digits = histogram.count_max().to_string().len();
    let bar_max = column_width.saturating_sub(GAP + 1 + digits).max(BAR_MIN);

    let mut out = format!("\nSpread of time_total, ms\n{}", " ".repeat(label_width));
    // Writing to a String cannot fail.
    for (head, (mark, _)) in heads.iter().zip(SERIES) {
        let head: String = format!("{mark} {head}").chars().take(bar_max + 1 + digits).collect();
        let _ = write!(out, "{:GAP$}{head:<1$}", "", bar_max + 1 + digits);
    }
    trim(&mut out);
    for (bin, label) in histogram.bins.iter().zip(labels) {
        let _ = write!(out, "{label:>label_width$}");
        for (count, (mark, colour)) in bin.counts.iter().zip(SERIES) {
            let length = bar_length(*count, histogram.count_max(), bar_max);
            let bar = mark.to_string().repeat(length);
            let painted = if length > 0 { style.paint(colour, &bar) } else { bar };
            let number = if *count > 0 { format!(" {count}") } else { String::new() };
            let rest = (bar_max + 1 + digits).saturating_sub(length + number.len());
            let _ = write!(out, "{:GAP$}{painted}{number}{:rest$}", "", "");
        }
        trim(&mut out);
    }
    out
}

/// Ends a line, without blanks before its end.
fn trim(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

/// In proportion; what is there has a mark.
fn bar_length(count: usize, count_max: usize, bar_max: usize) -> usize {
    if count == 0 { 0 } else { (count * bar_max / count_max.max(1)).max(1) }
}

/// Digits behind the point that bounds of bins need: bins are 1, 2 or 5 times a power of ten wide.
fn decimals(bin: &Bin) -> usize {
    let width = bin.to.map_or(Duration::from_millis(1), |to| to.saturating_sub(bin.from));
    match width.as_micros() {
        1000.. => 0,
        100.. => 1,
        10.. => 2,
        _ => 3,
    }
}

fn label(bin: &Bin, decimals: usize) -> String {
    let ms = |time: Duration| format!("{:.decimals$}", time.as_secs_f64() * 1000.0);
    match bin.to {
        Some(to) => format!("{} to {}", ms(bin.from), ms(to)),
        None => format!("from {}", ms(bin.from)),
    }
}
