//! Services that are not in the host's file: judged together with it, and turned into documents and back.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{
    ConfigErrors, Findings, LoadError, checks, local,
    place::{Place, Text},
    schema::fields::{root, services_root},
    services::{self, Home},
    syntax,
    table::Table,
};
use crate::{
    desired::{Config, Services},
    documents::{Document, Documents, Key, Kind},
};

/// The file of a host, kept to judge services by.
#[derive(Clone, Debug)]
pub struct Host {
    pub(super) file: PathBuf,
    pub(super) text: String,
}

/// Services to be judged.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A file that somebody wrote: its errors have lines.
    File {
        /// Its text.
        text: &'a str,
        /// Its name, for errors.
        name: &'a Path,
    },
    /// Documents: errors have the names of objects.
    Documents(&'a Documents),
}

/// Valid services, and the configuration that they make with the host's file.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What the reconciler takes.
    pub config: Config,
    /// What the store takes.
    pub documents: Documents,
}

impl Host {
    /// Reads the file. It is not judged by itself: see [`super::load`].
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(file: &Path) -> Result<Self, LoadError> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|source| LoadError::Read { file: file.to_owned(), source })?;
        Ok(Self { file: file.to_owned(), text })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the file says by itself.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        super::parse(&self.text, &self.file)
    }

    /// The services that the file has; none: they are in the store.
    pub fn documents(&self) -> Option<Documents> {
        let (root, _) = DeTable::parse_recoverable(&self.text);
        let documents = documents(root.get_ref());
        (!documents.is_empty()).then_some(documents)
    }

    /// Judges services that are not in the file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them on this host, or with its file.
    pub fn judge(&self, source: Source<'_>) -> Result<Stored, ConfigErrors> {
        let made;
        let (text, name) = match source {
            Source::File { text, name } => (text, Some(name)),
            Source::Documents(documents) => {
                made = to_toml(documents);
                (made.as_str(), None)
            }
        };
        let mut findings = Findings::new(&self.text, &self.file).with_services(text, name);
        let read = self.read_services(text, &mut findings);
        match read {
            Some((config, written)) if findings.is_empty() => {
                let documents = match source {
                    Source::File { .. } => written,
                    Source::Documents(documents) => documents.clone(),
                };
                Ok(Stored { config, documents })
            }
            _ => Err(findings.into_errors()),
        }
    }

    fn read_services(&self, text: &str, findings: &mut Findings<'_>) -> Option<(Config, Documents)> {
        let host = syntax(&self.text, Text::Host, findings)?;
        let host = Table::new(&host, &root::SECTION, Place::default(), findings);
        let local = local::read(&host, findings);
        let written = syntax(text, Text::Services, findings)?;
        let table = Table::new(&written, &services_root::SECTION, Place::top(Text::Services), findings);
        let services = services::read(&table, Home::Store, local.role, findings);
        checks::check(&local, &services, findings);
        let mut services = services.finish()?;
        // Documents have no order but that of their names: whatever the file's was, the same services are the same.
        services.vips.sort_by(|one, other| one.name.cmp(&other.name));
        services.prefixes.sort_by(|one, other| one.name.cmp(&other.name));
        services.pops.sort_by(|one, other| one.name.cmp(&other.name));
        services.pools.sort_by(|one, other| one.name.cmp(&other.name));
        Some((Config { local: local.finish()?, services }, documents(&written)))
    }
}

impl Stored {
    /// No services at all, on a host whose file is valid and has none.
    pub fn nothing(config: Config) -> Self {
        Self { config: Config { services: Services::default(), ..config }, documents: Documents::default() }
    }
}

/// Every object of a file that has a name.
pub(super) fn documents(root: &DeTable<'_>) -> Documents {
    let mut documents = Documents::default();
    for kind in Kind::ALL {
        let objects = root.get(kind.singular()).and_then(|list| list.get_ref().as_array()).into_iter().flatten();
        for object in objects {
            let Value::Object(mut document) = to_json(object.get_ref()) else { continue };
            if let Some(Value::String(name)) = document.remove("name") {
                documents.put(Key::new(kind, name), document);
            }
        }
    }
    documents
}

fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        // The schema has no number that does not fit.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Null, |number| Value::Number(number.into())),
        DeValue::Float(number) => Value::String(number.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(list) => list.iter().map(|value| to_json(value.get_ref())).collect(),
        DeValue::Table(table) => {
            let pairs = table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value.get_ref())));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// Documents as a file that reads back as the same ones.
pub fn to_toml(documents: &Documents) -> String {
    let mut text = String::new();
    for (key, document) in documents.iter() {
        // Writing to a String cannot fail.
        let _ = write!(text, "[[{}]]\nname = {}\n", key.kind, quoted(&key.name));
        table(&mut text, key.kind.singular(), document);
        text.push('\n');
    }
    text
}

/// The keys of a table, and below them its lists of tables, under their own headers.
fn table(text: &mut String, header: &str, document: &Document) {
    let is_section =
        |value: &Value| value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_object));
    for (key, value) in document.iter().filter(|(_, value)| !is_section(value)) {
        let _ = writeln!(text, "{} = {}", bare(key), inline(value));
    }
    for (key, value) in document.iter().filter(|(_, value)| is_section(value)) {
        for entry in value.as_array().into_iter().flatten() {
            let header = format!("{header}.{}", bare(key));
            if let Some(entry) = entry.as_object() {
                let _ = write!(text, "\n[[{header}]]\n");
                table(text, &header, entry);
            }
        }
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{} = {}", bare(key), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A key as TOML takes it.
fn bare(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { quoted(key) }
}

/// A basic string: TOML's escapes are those of JSON (TOML 1.0, String), but that DEL is one as well.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007f")
}
