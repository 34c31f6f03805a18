//! What a generation says of itself to the builds that come after it.

use std::{fs, path::Path};

use anycast_common::{
    ABI_VERSION,
    map::RETURN_PATHS_VERSION,
    outcome::{Class, Outcome},
};
use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::super::inventory::replace;
use crate::desired::Limits;

/// The manifest. Fields are only added, each with a default: builds of other versions read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// ABI version of the maps.
    pub abi_version: u32,
    /// What they were made for, for people to read.
    pub limits: serde_json::Value,
    /// Labels of the counters of a VIP, in their order.
    pub classes: Vec<String>,
    /// Labels of the outcomes, by number.
    pub outcomes: Vec<String>,
    /// Version of the layout of `RETURN_PATHS`.
    pub return_paths_version: u32,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            abi_version: ABI_VERSION,
            limits: serde_json::Value::Null,
            classes: Class::ALL.iter().map(|class| class.label().to_owned()).collect(),
            outcomes: Outcome::ALL.iter().map(|outcome| outcome.label().to_owned()).collect(),
            return_paths_version: RETURN_PATHS_VERSION,
        }
    }
}

impl Manifest {
    const FILE: &str = "manifest.json";

    /// That of a generation that this build makes.
    pub fn of(limits: &Limits) -> Result<Self> {
        Ok(Self { limits: serde_json::to_value(limits)?, ..Self::default() })
    }

    /// The one in `state`. Numbers of outcomes and of counters keep their meaning for ever, so one that is lost is taken to
    /// be like this build's; only ways of clients are not taken over without one.
    pub fn read(state: &Path) -> Self {
        let text = fs::read(state.join(Self::FILE));
        text.ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_else(|| Self { return_paths_version: 0, ..Self::default() })
    }

    /// Writes it.
    pub fn write(&self, state: &Path) -> Result<()> {
        replace(&state.join(Self::FILE), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_with_unknown_and_missing_fields_is_read_and_a_lost_one_is_like_ours() {
        let directory = tempfile::tempdir().expect("directory");
        let lost = Manifest::read(directory.path());
        assert_eq!((lost.outcomes.len(), lost.return_paths_version), (Outcome::COUNT, 0));
        let text = r#"{"abi_version": 9, "outcomes": ["unset", "news"], "colour": "red"}"#;
        fs::write(directory.path().join(Manifest::FILE), text).expect("write");
        let read = Manifest::read(directory.path());
        assert_eq!((read.abi_version, read.outcomes), (9, vec!["unset".to_owned(), "news".to_owned()]));
        assert_eq!(read.classes, Manifest::default().classes);
    }
}
