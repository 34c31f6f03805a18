//! How the API says no.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer that is none of success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorAnswer {
    /// What is wrong.
    pub error: ApiError,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiError {
    /// For programs.
    pub code: ErrorCode,
    /// For people: a statement in lower case without a full stop.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// All that is wrong with what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The revision that was made all the same: of `not_applied`, and of a `store_failed` that knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// One thing that is wrong with what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Path of the field: `vip[2].listeners[0]` in TOML, `vip.web.listeners[0]` in JSON; empty: the body as a whole.
    pub field: String,
    /// Line of a TOML body, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters of a TOML body, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub help: String,
}

/// Kinds of errors. Each has one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON or TOML, or an unknown parameter.
    BadRequest,
    /// No such object, backend, revision or path.
    NotFound,
    /// An object has this name.
    Exists,
    /// The head is not `if_revision`.
    Conflict,
    /// It would remove much.
    NeedsForce,
    /// The services are those of the host's file.
    ReadOnly,
    /// The result would not be valid.
    Invalid,
    /// The store did not do its part.
    StoreFailed,
    /// The revision is in the store, and the maps have not taken it.
    NotApplied,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::BadRequest,
        Self::NotFound,
        Self::Exists,
        Self::Conflict,
        Self::NeedsForce,
        Self::ReadOnly,
        Self::Invalid,
        Self::StoreFailed,
        Self::NotApplied,
    ];

    /// The HTTP status that it goes with.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotFound => 404,
            Self::Exists | Self::Conflict | Self::NeedsForce | Self::ReadOnly => 409,
            Self::Invalid => 422,
            Self::NotApplied => 500,
            Self::StoreFailed => 503,
        }
    }

    /// As it is written in answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::Conflict => "conflict",
            Self::NeedsForce => "needs_force",
            Self::ReadOnly => "read_only",
            Self::Invalid => "invalid",
            Self::StoreFailed => "store_failed",
            Self::NotApplied => "not_applied",
        }
    }
}

impl ApiError {
    /// An error without hint and findings.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, findings: Vec::new(), revision: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_their_labels() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.label());
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn error_without_hint_and_findings_has_no_such_keys() {
        let answer = ErrorAnswer { error: ApiError::new(ErrorCode::NotFound, "no vip `web`") };
        let written = serde_json::to_string(&answer).unwrap();
        assert_eq!(written, r#"{"error":{"code":"not_found","message":"no vip `web`"}}"#);
        assert_eq!(serde_json::from_str::<ErrorAnswer>(&written).unwrap(), answer);
    }
}
