//! Where in a text a value stands.

use std::ops::Range;

/// Which of the texts of a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Text {
    /// The file of the host.
    #[default]
    Host,
    /// Services that are not in the host's file.
    Services,
}

/// The place of a field: its path, for people, and its offset in its text.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    text: Text,
    path: String,
    offset: usize,
}

impl Place {
    /// The top of a text.
    pub(super) fn top(text: Text) -> Self {
        Self { text, ..Self::default() }
    }

    /// The place of `key` within the table here.
    pub(super) fn key(&self, key: &str, span: &Range<usize>) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { text: self.text, path, offset: span.start }
    }

    /// The place of a key that is not there: that of the table which should hold it.
    pub(super) fn missing(&self, key: &str) -> Self {
        self.key(key, &(self.offset..self.offset))
    }

    /// The place of element `index` of the list here.
    pub(super) fn item(&self, index: usize, span: &Range<usize>) -> Self {
        Self { text: self.text, path: format!("{}[{index}]", self.path), offset: span.start }
    }

    pub(super) fn text(&self) -> Text {
        self.text
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}
