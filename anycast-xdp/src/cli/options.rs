//! Options that several commands have.

use clap::{Args, ValueEnum};

use super::exit::Failure;
use crate::{config::check_instance, dataplane::inspect::Inspector};

/// Which pinned state a command reads.
#[derive(Args, Debug)]
pub(super) struct InstanceOption {
    /// Instance whose pinned state is read: `instance` of its configuration
    #[arg(long, value_name = "NAME", env = "ANYCAST_XDP_INSTANCE", hide_env_values = true, default_value = "default", value_parser = instance_name)]
    pub(super) instance: String,
}

impl InstanceOption {
    /// Opens the pinned state, whether the daemon runs or not.
    pub(super) fn open(&self) -> Result<Inspector, Failure> {
        Inspector::open(&self.instance)?.ok_or_else(|| self.nothing_there())
    }

    pub(super) fn nothing_there(&self) -> Failure {
        Failure::NothingThere { instance: self.instance.clone() }
    }
}

/// How a command writes its data.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OutputOption {
    /// Form of the data on stdout
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub(super) output: Output,
}

/// Form of the data on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Tables for people, numbers rounded
    #[default]
    Text,
    /// JSON for programs, numbers exact; its keys are stable
    Json,
}

pub(super) fn instance_name(name: &str) -> Result<String, String> {
    check_instance(name).map(|()| name.to_owned())
}
