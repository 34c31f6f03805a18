//! What is shown of the health of backends.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Up or down, by its probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// It takes flows, if its configuration lets it.
    Up,
    /// Its flows go to other backends.
    Down,
}

/// What is known of one backend of a pool with a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackendHealth {
    /// Name of its pool.
    pub pool: String,
    /// Its tunnel address.
    pub backend: IpAddr,
    /// Index of it in the tables, which marks its probes.
    pub backend_index: u32,
    /// The address that its probes are sent to.
    pub vip: IpAddr,
    /// The check, such as `http/80`.
    pub check: String,
    /// Up or down. A backend that was never probed is up.
    pub state: HealthState,
    /// How long it has been that, in seconds; none: it was never anything else.
    pub since_secs: Option<f64>,
    /// What the last probe came to; none: there was none yet.
    pub last: Option<LastProbe>,
    /// How long the last successful probe took, in microseconds.
    pub rtt_us: Option<u64>,
    /// 1000 for each time that it went down, halved every `damping_half_life`.
    pub penalty: f64,
    /// For how many seconds it stays down whatever its probes say, because it flaps; none: they alone decide.
    pub suppressed_secs: Option<f64>,
    /// How often it went down or came up.
    pub transitions: u64,
    /// Probes that were successes.
    pub successes: u64,
    /// Probes that failed.
    pub failures: u64,
    /// Probes that could not be sent, which say nothing of the backend.
    pub not_sent: u64,
}

/// What a probe came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastProbe {
    /// How long ago it ended, in seconds.
    pub ago_secs: f64,
    /// Why it was no success; none: it was one.
    pub error: Option<String>,
}

/// The backends of all pools with a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// By pool and address.
    pub backends: Vec<BackendHealth>,
}

/// Which backends are to be probed once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckQuery {
    /// Name of a pool.
    pub pool: String,
    /// Address of a backend of it; all of them without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<IpAddr>,
}

/// What probes came to that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// One for each backend.
    pub probes: Vec<ProbeTold>,
}

/// One probe, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeTold {
    /// Name of the pool.
    pub pool: String,
    /// Address of the backend.
    pub backend: IpAddr,
    /// The address that it was sent to.
    pub vip: IpAddr,
    /// The check, such as `http/80`.
    pub check: String,
    /// Why it was no success; none: it was one.
    pub error: Option<String>,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// What happened.
    pub steps: Vec<StepTold>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepTold {
    /// After the beginning of the probe, in microseconds.
    pub after_us: u64,
    /// What happened.
    pub what: String,
}
