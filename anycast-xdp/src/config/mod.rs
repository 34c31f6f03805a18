//! The configuration file: TOML in, [`desired::Config`](crate::desired::Config) out, or everything that is wrong with it.
//!
//! Text is parsed with the spans of all keys and values (`toml`), read section by section by the [`schema`], checked
//! across fields, and only then made into the desired state. Every step goes on after an error, so that one run tells
//! them all; only errors of the TOML syntax stop it, because what follows one is guesswork.

mod checks;
mod control;
mod error;
mod failover;
mod findings;
mod health;
pub mod host;
mod icmp;
mod listener;
mod local;
mod place;
mod publish;
mod reference;
mod schema;
mod services;
mod shares;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod types;

use std::{path::Path, time::Duration};

use toml::de::{DeTable, DeValue};

pub use self::{
    error::{ConfigError, ConfigErrors, LoadError},
    reference::markdown,
    schema::json_schema,
    stored::{Host, Source, Stored, to_toml},
};
use self::{
    findings::Findings,
    host::{HostFacts, Remark},
    place::{Place, Text},
    services::Home,
    table::Table,
};
pub(crate) use self::{
    findings::Problem,
    listener::{parse as parse_listener, parse_protocol},
};
use crate::desired::Config;

/// Reads a duration as files have it: `"1m30s"`; else what is wrong with it.
///
/// # Errors
///
/// It is none, or longer than 49 days.
pub(crate) fn parse_duration(written: &str) -> Result<Duration, String> {
    let read = <types::Span<0, { u32::MAX }> as types::FieldType>::from_value(&DeValue::String(written.into()));
    read.map(|span| span.0).map_err(|problem| problem.what)
}

/// Reads and parses the file of a host.
pub fn load(file: &Path) -> Result<Config, LoadError> {
    let text = std::fs::read_to_string(file).map_err(|source| LoadError::Read { file: file.to_owned(), source })?;
    Ok(parse(&text, file)?)
}

/// Parses the file of a host; `file` is only named in errors.
///
/// # Errors
///
/// All errors of the text at once, each with its line, column and field.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
    let mut findings = Findings::new(text, file);
    let config = read(text, &mut findings);
    match config {
        Some(config) if findings.is_empty() => Ok(config),
        _ => Err(findings.into_errors()),
    }
}

/// What there is to say of a valid configuration, and of `host` for it, if that is known.
pub fn remarks(config: &Config, host: Option<&HostFacts>) -> Vec<Remark> {
    let mut remarks = shares::check(config);
    remarks.extend(host.into_iter().flat_map(|host| host::check(config, host)));
    remarks
}

/// Whether `name` may name an instance; the error says what to write.
pub fn check_instance(name: &str) -> Result<(), String> {
    types::check_name(name)
}

fn read(text: &str, findings: &mut Findings<'_>) -> Option<Config> {
    let root = syntax(text, Text::Host, findings)?;
    let root = Table::new(&root, &schema::fields::root::SECTION, Place::default(), findings);
    let local = local::read(&root, findings);
    let services = services::read(&root, Home::HostFile, local.role, findings);
    checks::check(&local, &services, findings);
    Some(Config { local: local.finish()?, services: services.finish()? })
}

/// The table that a text is; `None`: it is not TOML.
fn syntax<'t>(text: &'t str, which: Text, findings: &mut Findings<'_>) -> Option<DeTable<'t>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let offset = error.span().map_or(text.len(), |span| span.start);
        findings.refuse_text(which, offset, syntax_problem(error.message()));
    }
    errors.is_empty().then(|| root.into_inner())
}

fn syntax_problem(message: &str) -> Problem {
    let help = "write it as TOML: `key = value`, strings in double quotes, each key once; see https://toml.io";
    Problem::new(format!("not TOML: {message}"), help)
}
