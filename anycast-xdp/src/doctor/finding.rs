//! What a check says.

use std::{fmt, net::IpAddr};

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Packets are lost, or would be.
    Error,
    /// Packets may be lost, or it is slower than it could be.
    Warning,
    /// Good to know.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Place {
    /// The machine.
    Host,
    /// The pinned state, by its instance.
    Instance(String),
    /// An interface, by its kernel name.
    Interface(String),
    /// A backend, by its tunnel address.
    Backend(IpAddr),
    /// A VIP, by its name.
    Vip(String),
    /// A field of the configuration.
    Field(String),
    /// Packets of an outcome, by its label.
    Outcome(String),
}

impl Place {
    pub(super) fn interface(name: &str) -> Self {
        Self::Interface(name.to_owned())
    }

    pub(super) fn vip(name: &str) -> Self {
        Self::Vip(name.to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Instance(name) => write!(f, "instance {name}"),
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::Backend(address) => write!(f, "backend {address}"),
            Self::Vip(name) => write!(f, "VIP {name}"),
            Self::Field(path) => write!(f, "field {path}"),
            Self::Outcome(label) => write!(f, "outcome {label}"),
        }
    }
}

/// Something that is wrong, or may be, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name of the check.
    pub code: &'static str,
    /// What it is about.
    pub at: Place,
    /// What is wrong.
    pub problem: String,
    /// The command to paste, or the key to write.
    pub fix: String,
}

/// A check that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Stable name of the check.
    pub code: &'static str,
    /// What it would have been about.
    pub at: Place,
    /// Why not.
    pub reason: String,
}
