//! What is wrong with a configuration file, for the person who has to mend it.
//!
//! One grammar for every message: `FILE:LINE:COLUMN: FIELD: what is wrong`, and below it `help: what to do`. Problems
//! are statements in lower case without a full stop; help is an instruction. Text from the file stands in backquotes.

use std::{fmt, path::PathBuf};

use serde::Serialize;

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// Line, from 1; none: it does not stand in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Path of the field, `vip[2].listeners[0]`, counted from 0, or `vip.web.listeners[0]` where it does not stand in a
    /// file; empty: the file as a whole.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub help: String,
}

/// Everything that is wrong with one file, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigErrors {
    /// The file.
    pub file: PathBuf,
    /// In the order of the file.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for error in &self.errors {
            match (error.line, error.column) {
                (Some(line), Some(column)) => write!(f, "{file}:{line}:{column}: ")?,
                _ => write!(f, "{file}: ")?,
            }
            if !error.field.is_empty() {
                write!(f, "{}: ", error.field)?;
            }
            writeln!(f, "{}\n  help: {}", error.problem, error.help)?;
        }
        let count = self.errors.len();
        write!(f, "{file} has {count} {}; nothing was changed", if count == 1 { "error" } else { "errors" })
    }
}

impl std::error::Error for ConfigErrors {}

/// Why a configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read, and is refused.
    #[error(transparent)]
    Refused(#[from] ConfigErrors),
}
