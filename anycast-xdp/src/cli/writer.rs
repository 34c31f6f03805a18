//! The only place that writes: data to stdout, messages to stderr.

use std::io::{self, Write as _};

use serde::Serialize;

use super::{exit::Failure, options::Output};

/// Writes one result: as JSON, or as what `text` makes of the width of the terminal (`None`: stdout is none).
pub(super) fn write<T: Serialize>(
    output: Output,
    data: &T,
    text: impl FnOnce(&T, Option<u16>) -> String,
) -> Result<(), Failure> {
    write_with(output, data, text, serde_json::to_string_pretty)
}

/// Writes one of a series of results: JSON then is one line each.
pub(super) fn write_next<T: Serialize>(
    output: Output,
    data: &T,
    text: impl FnOnce(&T, Option<u16>) -> String,
) -> Result<(), Failure> {
    write_with(output, data, text, serde_json::to_string)
}

fn write_with<T: Serialize>(
    output: Output,
    data: &T,
    text: impl FnOnce(&T, Option<u16>) -> String,
    json: impl FnOnce(&T) -> serde_json::Result<String>,
) -> Result<(), Failure> {
    match output {
        Output::Text => write_text(&text(data, terminal_width())),
        Output::Json => write_text(&format!("{}\n", json(data).map_err(anyhow::Error::from)?)),
    }
}

/// Writes text as it is.
pub(super) fn write_text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Columns of the terminal on stdout. A pipe has none: its lines are not wrapped, so that `grep` finds them whole. Nor
/// are those of a serial console, which says that it has 0.
pub(super) fn terminal_width() -> Option<u16> {
    comfy_table::Table::new().width().filter(|columns| *columns > 0)
}

/// Writes a message for people to stderr. Where nobody listens to it, there is nobody to tell either.
pub(super) fn tell(message: &str) {
    let _ = io::stderr().lock().write_all(message.as_bytes());
}
