//! Collects everything that is wrong with a configuration, so that it is told all at once.

use std::path::Path;

use super::{
    error::{ConfigError, ConfigErrors},
    place::{Place, Text},
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

/// The errors of one configuration so far.
pub(super) struct Findings<'a> {
    host: Lines<'a>,
    services: Option<Lines<'a>>,
    found: Vec<((Text, usize), ConfigError)>,
}

/// A text and where its lines begin.
struct Lines<'a> {
    file: &'a Path,
    text: &'a str,
    starts: Vec<usize>,
    /// Nobody sees its lines: it was made from documents, and a thing in it is known by its name.
    is_made: bool,
}

impl<'a> Findings<'a> {
    /// Of the file of a host.
    pub(super) fn new(text: &'a str, file: &'a Path) -> Self {
        Self { host: Lines::new(text, file, false), services: None, found: Vec::new() }
    }

    /// Of the file of a host and a text of services beside it, which has a file or is made from documents.
    pub(super) fn with_services(mut self, text: &'a str, file: Option<&'a Path>) -> Self {
        self.services = Some(Lines::new(text, file.unwrap_or(Path::new("services")), file.is_none()));
        self
    }

    pub(super) fn refuse(&mut self, place: &Place, problem: Problem) {
        self.add(place.text(), place.offset(), place.path(), problem);
    }

    /// Refuses a text at `offset`, where no field is known.
    pub(super) fn refuse_text(&mut self, text: Text, offset: usize, problem: Problem) {
        self.add(text, offset, "", problem);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Are the things of this text known by their names, not by their numbers?
    pub(super) fn goes_by_names(&self, text: Text) -> bool {
        self.lines(text).is_made
    }

    /// What follows the path of another place in a message: its line, where it has one that can be looked up.
    pub(super) fn line(&self, place: &Place) -> String {
        let lines = self.lines(place.text());
        match (place.text(), lines.position(place.offset())) {
            (Text::Host, Some((line, _))) if self.services.is_some() => {
                format!(" ({} line {line})", lines.file.display())
            }
            (_, Some((line, _))) => format!(" (line {line})"),
            (_, None) => String::new(),
        }
    }

    /// All errors, in the order of the texts.
    pub(super) fn into_errors(mut self) -> ConfigErrors {
        self.found.sort_by_key(|(place, _)| *place);
        let file = self.services.as_ref().unwrap_or(&self.host).file.to_owned();
        ConfigErrors { file, errors: self.found.into_iter().map(|(_, error)| error).collect() }
    }

    fn lines(&self, text: Text) -> &Lines<'a> {
        match (text, &self.services) {
            (Text::Services, Some(services)) => services,
            (Text::Host | Text::Services, _) => &self.host,
        }
    }

    fn add(&mut self, text: Text, offset: usize, field: &str, problem: Problem) {
        let Problem { what, help } = problem;
        let lines = self.lines(text);
        let error = if text == Text::Host && self.services.is_some() {
            // The services are what is being judged: what stands elsewhere is told with its file.
            let line = lines.position(offset).map_or(0, |(line, _)| line);
            let problem = format!("{what} (in {} line {line})", lines.file.display());
            ConfigError { line: None, column: None, field: field.to_owned(), problem, help }
        } else {
            let (line, column) = lines.position(offset).unzip();
            ConfigError { line, column, field: field.to_owned(), problem: what, help }
        };
        self.found.push(((text, offset), error));
    }
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, file: &'a Path, is_made: bool) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, starts, is_made }
    }

    /// Line and column of an offset, both from 1. A column is a character, not a byte.
    fn position(&self, offset: usize) -> Option<(usize, usize)> {
        if self.is_made {
            return None;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        Some((line, String::from_utf8_lossy(before).chars().count() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_counts_lines_and_characters_from_one() {
        let lines = Lines::new("a\nbé=1\n", Path::new("x"), false);
        assert_eq!(lines.position(0), Some((1, 1)));
        assert_eq!(lines.position(2), Some((2, 1)));
        assert_eq!(lines.position(5), Some((2, 3)));
        assert_eq!(lines.position(8), Some((3, 1)));
        assert_eq!(lines.position(99), Some((3, 1)));
    }
}
