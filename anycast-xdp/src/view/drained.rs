//! What `drain --wait` shows.

use serde::Serialize;

use crate::api::types::DrainPhase;

/// How a drain ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drained {
    /// Everything is withdrawn, and less than the bound arrives.
    pub drained: bool,
    /// How far the drain is.
    pub phase: DrainPhase,
    /// How long was waited, in seconds.
    pub took_secs: f64,
    /// Packets per second that arrive for all VIPs; none: counters cannot be read.
    pub rate_pps: Option<f64>,
    /// Fewer than these were waited for.
    pub bound_pps: f64,
    /// The VIPs that packets still arrive for, the most first.
    pub arriving: Vec<Arriving>,
}

/// A VIP that packets arrive for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arriving {
    /// Its name.
    pub vip: String,
    /// Its address.
    pub address: String,
    /// Packets per second.
    pub rate_pps: f64,
}
