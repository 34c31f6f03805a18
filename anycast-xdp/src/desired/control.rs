//! How services are kept, changed and watched on a host.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Directory of stores that the file does not place.
const STORES: &str = "/var/lib/anycast-xdp";

/// `[store]`, `[api]` and `[metrics]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFacts {
    /// File of the store; none: by the instance.
    pub store_path: Option<PathBuf>,
    /// Revisions that are kept.
    pub revisions: u32,
    /// Group of the API's socket; none: that of the daemon.
    pub api_group: Option<String>,
    /// Metrics beside the API's socket.
    pub metrics: Option<MetricsFacts>,
}

/// `[metrics]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsFacts {
    /// Where they are asked for.
    pub listen: SocketAddr,
    /// How many VIPs without labels have series of their own.
    pub top_vips: u32,
}

impl MetricsFacts {
    /// What `top_vips` is where the file does not say.
    pub const TOP_VIPS: u32 = 100;
}

impl Default for ControlFacts {
    fn default() -> Self {
        Self { store_path: None, revisions: 1000, api_group: None, metrics: None }
    }
}

impl ControlFacts {
    /// File of the store of `instance`.
    pub fn store_of(&self, instance: &str) -> PathBuf {
        self.store_path.clone().unwrap_or_else(|| Path::new(STORES).join(format!("{instance}.db")))
    }
}
