//! Text of an error of the daemon, in the grammar of the errors of configuration files.

use std::fmt::Write as _;

use super::{count_of, values::word};
use crate::api::types::{ApiError, Finding};

/// What the daemon refused, and why. `file`: what was sent, if it was a file.
pub fn api_error(error: &ApiError, file: Option<&str>) -> String {
    let mut out = error.findings.iter().map(|one| finding(one, file)).collect::<String>();
    match file {
        // Without lines it is not the file that is wrong, but this host for it.
        Some(file) if error.findings.iter().any(|finding| finding.line.is_some()) => {
            let count = count_of(error.findings.len(), "error");
            // Writing to a String cannot fail.
            let _ = write!(out, "{file} has {count}; nothing was changed");
        }
        _ => {
            let _ = write!(out, "error: {}", error.message);
        }
    }
    if let Some(hint) = &error.hint {
        let _ = write!(out, "\n  help: {hint}");
    }
    out
}

/// `FILE:LINE:COLUMN: FIELD: what is wrong`, and below it what to do.
fn finding(finding: &Finding, file: Option<&str>) -> String {
    let Finding { field, line, column, problem, help } = finding;
    let mut out = String::new();
    if let Some(file) = file {
        out.push_str(file);
        for number in line.iter().chain(column) {
            let _ = write!(out, ":{number}");
        }
        out.push_str(": ");
    }
    if !field.is_empty() {
        let _ = write!(out, "{}: ", word(field));
    }
    let _ = writeln!(out, "{problem}\n  help: {help}");
    out
}
