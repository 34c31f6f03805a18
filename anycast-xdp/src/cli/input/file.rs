//! Files of services and of single objects.

use std::{fs, io::Read as _};

use serde_json::{Map, Value};
use toml::de::DeTable;

use crate::{api::types::TOML_MEDIA_TYPE, cli::exit::Failure, client::Body};

/// A file that was read.
#[derive(Debug)]
pub(in crate::cli) struct Source {
    /// As messages name it.
    pub(in crate::cli) name: String,
    text: String,
}

/// Reads a file, or stdin where it is `-`.
pub(in crate::cli) fn read(file: &str) -> Result<Source, Failure> {
    let (name, text) = if file == "-" {
        let mut text = String::new();
        ("stdin", std::io::stdin().read_to_string(&mut text).map(|_| text))
    } else {
        (file, fs::read_to_string(file))
    };
    let text = text.map_err(|error| Failure::Refused(format!("cannot read {name}: {error}")))?;
    Ok(Source { name: name.to_owned(), text })
}

impl Source {
    /// The file as it is, for the daemon to read. No file of TOML begins like one of JSON does.
    pub(in crate::cli) fn into_body(self) -> Body {
        let is_json = self.text.trim_start().starts_with('{');
        let media_type = if is_json { "application/json" } else { TOML_MEDIA_TYPE };
        Body::Text { media_type, text: self.text }
    }

    /// The file as the keys of one object.
    pub(in crate::cli) fn document(&self) -> Result<Map<String, Value>, Failure> {
        if self.text.trim_start().starts_with('{') {
            return serde_json::from_str(&self.text)
                .map_err(|error| self.refused(error.line(), error.column(), &error));
        }
        match DeTable::parse(&self.text) {
            Ok(table) => Ok(super::toml::document(table.get_ref())),
            Err(error) => {
                let (line, column) = self.position(error.span().map_or(self.text.len(), |span| span.start));
                Err(self.refused(line, column, &error.message()))
            }
        }
    }

    /// In the grammar of the errors of configuration files.
    fn refused(&self, line: usize, column: usize, problem: &dyn std::fmt::Display) -> Failure {
        Failure::Refused(format!(
            "{}:{line}:{column}: neither TOML nor JSON: {problem}\n  help: write the keys of one object, such as `address = \"192.0.2.10\"`; see https://toml.io",
            self.name
        ))
    }

    /// Line and column of an offset, both from 1.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = String::from_utf8_lossy(self.text.as_bytes().get(..offset).unwrap_or_default());
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "web.toml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn object_is_read_from_toml_and_json() {
        let wanted = json!({ "address": "192.0.2.10", "labels": { "team": "game" } });
        for text in [
            "address = \"192.0.2.10\"\n[labels]\nteam = \"game\"\n",
            " {\"address\": \"192.0.2.10\", \"labels\": {\"team\": \"game\"}}",
        ] {
            assert_eq!(Value::Object(source(text).document().unwrap()), wanted);
        }
    }

    #[test]
    fn syntax_error_has_line_and_column() {
        let Err(Failure::Refused(told)) = source("a = 1\nbé = = 2\n").document() else {
            panic!("an error");
        };
        assert!(told.starts_with("web.toml:2:6: neither TOML nor JSON: "), "{told}");
        let Err(Failure::Refused(told)) = source("{\"a\": }").document() else {
            panic!("an error");
        };
        assert!(told.starts_with("web.toml:1:7: neither TOML nor JSON: "), "{told}");
    }

    #[test]
    fn files_go_as_what_they_are_written_in() {
        let media_type = |text| match source(text).into_body() {
            Body::Text { media_type, .. } => media_type,
            Body::Empty | Body::Json(_) => panic!("a file is text"),
        };
        assert_eq!(media_type("[[vip]]\n"), "application/toml");
        assert_eq!(media_type(""), "application/toml");
        assert_eq!(media_type("\n{\"vip\": []}"), "application/json");
    }
}
