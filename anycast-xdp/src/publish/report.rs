//! What is told of publishing, as the API has it.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    DRAINING_METRIC, METRIC,
    drain::Phase,
    host_drain::HostDrain,
    publisher::{Known, State},
};

/// `GET /v1/publishing`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publishing {
    /// The interface that routes lead to; `None`: nothing is published, for want of `[publish]`.
    pub interface: Option<String>,
    /// It is there, and up.
    pub interface_is_up: bool,
    /// How far a drain is.
    pub drain: DrainStatus,
    /// Prefixes, by name.
    pub prefixes: Vec<Offered>,
    /// VIPs, by name.
    pub vips: Vec<Offered>,
    /// What they are in sum.
    pub counts: Counts,
    /// Packets that came for VIPs since they have counters; `None`: they cannot be read.
    pub received_packets: Option<u64>,
}

/// How far a drain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrainStatus {
    /// The host drains.
    pub host: bool,
    /// Its PoP does.
    pub pop: bool,
    /// What that comes to.
    pub phase: DrainPhase,
}

/// The phases of a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DrainPhase {
    /// Nothing drains.
    #[default]
    None,
    /// Routers are being told (metric 200).
    Signal,
    /// Everything is withdrawn.
    Withdrawn,
}

/// A VIP or a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// Address of a VIP, or prefix.
    pub prefix: String,
    /// Whether it is published.
    pub state: OfferState,
    /// Metric of its route; `None`: it has none.
    pub metric: Option<u32>,
    /// Since when it is in that state, in milliseconds since 1970; not before the daemon began.
    pub since_unix_ms: u64,
    /// What keeps it from being in service, as a word; `None`: nothing.
    pub reason: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
    /// Packets that came for a VIP; `None`: not known, or it is a prefix.
    pub received_packets: Option<u64>,
}

/// Whether something is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfferState {
    /// In service.
    Published,
    /// Routers are being told that it will go.
    Draining,
    /// Not at all.
    Withdrawn,
}

impl OfferState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Published, Self::Draining, Self::Withdrawn];

    /// As it is shown.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Draining => "draining",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// VIPs by state: published, draining, withdrawn.
    pub vips: [u64; 3],
    /// Prefixes likewise.
    pub prefixes: [u64; 3],
    /// Routes that were added and removed since the daemon began.
    pub route_changes: u64,
    /// Routes that somebody else took away, and that are there again.
    pub routes_restored: u64,
}

/// Parameters of `GET /v1/publishing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PublishingQuery {
    /// Leave prefixes and VIPs out.
    pub summary: bool,
}

/// Body of `POST /v1/drain` and `POST /v1/undrain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrainRequest {
    /// What drains.
    pub scope: Scope,
}

/// What drains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// This host.
    #[default]
    Host,
    /// All hosts of its PoP: its `[[pop]]` is changed.
    Pop,
}

/// What the API and the metrics have of publishing.
#[derive(Clone, Debug)]
pub struct Board {
    /// The instance, whose counters are read.
    pub instance: String,
    /// What is told, but for counters.
    pub now: watch::Receiver<Arc<Publishing>>,
    /// The drain of the host.
    pub host_drain: HostDrain,
}

impl From<Phase> for DrainPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::None => Self::None,
            Phase::Signal { .. } => Self::Signal,
            Phase::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<State> for OfferState {
    fn from(state: State) -> Self {
        match state {
            State::Published => Self::Published,
            State::Draining => Self::Draining,
            State::Withdrawn => Self::Withdrawn,
        }
    }
}

/// How many are in each state.
pub fn count<'a>(known: impl Iterator<Item = &'a Known>) -> [u64; 3] {
    let mut counts = [0; 3];
    for known in known {
        counts[OfferState::from(known.state) as usize] += 1;
    }
    counts
}

/// One of them as it is told.
pub fn offered(name: &str, known: &Known) -> Offered {
    let is_vip = known.prefix.prefix_len() == known.prefix.max_prefix_len();
    Offered {
        name: name.to_owned(),
        prefix: if is_vip { known.prefix.addr().to_string() } else { known.prefix.to_string() },
        state: known.state.into(),
        metric: match known.state {
            State::Published => Some(METRIC),
            State::Draining => Some(DRAINING_METRIC),
            State::Withdrawn => None,
        },
        since_unix_ms: known.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
        reason: known.reason.as_ref().map(|reason| reason.label().to_owned()),
        detail: known.reason.as_ref().map(ToString::to_string),
        received_packets: None,
    }
}

impl Offered {
    /// The address of a VIP.
    pub fn address(&self) -> Option<IpAddr> {
        self.prefix.parse().ok()
    }

    /// How long it has been in its state, in seconds.
    pub fn age_secs(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        now.saturating_sub(self.since_unix_ms) / 1000
    }
}
