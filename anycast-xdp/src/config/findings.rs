//! Collects everything that is wrong with a file, so that it is told all at once.

use std::path::Path;

use super::{
    error::{ConfigError, ConfigErrors},
    place::Place,
};

/// What is wrong with a value, before it is known where the value stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) what: String,
    pub(crate) help: String,
}

impl Problem {
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

/// The errors of one file so far.
pub(super) struct Findings<'a> {
    file: &'a Path,
    text: &'a str,
    line_starts: Vec<usize>,
    found: Vec<(usize, ConfigError)>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(text: &'a str, file: &'a Path) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, line_starts, found: Vec::new() }
    }

    pub(super) fn refuse(&mut self, place: &Place, problem: Problem) {
        self.add(place.offset(), place.path(), problem);
    }

    /// Refuses the text at `offset`, where no field is known.
    pub(super) fn refuse_text(&mut self, offset: usize, problem: Problem) {
        self.add(offset, "", problem);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, place: &Place) -> usize {
        self.position(place.offset()).0
    }

    /// All errors, in the order of the file.
    pub(super) fn into_errors(mut self) -> ConfigErrors {
        self.found.sort_by_key(|(offset, _)| *offset);
        ConfigErrors { file: self.file.to_owned(), errors: self.found.into_iter().map(|(_, error)| error).collect() }
    }

    fn add(&mut self, offset: usize, field: &str, problem: Problem) {
        let (line, column) = self.position(offset);
        let Problem { what, help } = problem;
        self.found.push((offset, ConfigError { line, column, field: field.to_owned(), problem: what, help }));
    }

    /// Line and column of an offset, both from 1. A column is a character, not a byte.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        (line, String::from_utf8_lossy(before).chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_counts_lines_and_characters_from_one() {
        let findings = Findings::new("a\nbé=1\n", Path::new("x"));
        assert_eq!(findings.position(0), (1, 1));
        assert_eq!(findings.position(2), (2, 1));
        assert_eq!(findings.position(5), (2, 3));
        assert_eq!(findings.position(8), (3, 1));
        assert_eq!(findings.position(99), (3, 1));
    }
}
