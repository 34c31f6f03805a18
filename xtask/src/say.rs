//! What is printed: data on stdout, everything else on stderr.

use std::io::{self, Write as _};

use anyhow::Error;

/// What is done next, and why.
pub fn step(message: impl AsRef<str>) {
    eprintln!("==> {}", message.as_ref());
}

/// A detail of a step.
pub fn note(message: impl AsRef<str>) {
    eprintln!("    {}", message.as_ref());
}

/// An error with its causes.
pub fn error(error: &Error) {
    eprintln!("error: {error:#}");
}

/// A line of data. A reader that went away is no error of ours.
pub fn data(line: impl AsRef<str>) {
    let _ = writeln!(io::stdout(), "{}", line.as_ref());
}

/// A title for people, and lines of data that nothing else comes between.
pub fn block(title: impl AsRef<str>, lines: &[String]) {
    let mut stdout = io::stdout().lock();
    step(title);
    for line in lines {
        let _ = writeln!(stdout, "{line}");
    }
}

/// Rows with aligned columns; the first row is the head.
pub fn table<const N: usize>(rows: &[[String; N]]) {
    for line in aligned(rows) {
        data(line);
    }
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bcd", "e"], ["long", "x", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), ["a     bcd  e", "long  x"]);
    }
}
