//! Which backends are up: probes through the datapath, and what their results come to.
//!
//! | file | concern |
//! | --- | --- |
//! | `state`, `penalty` | results and time → up or down, pure |
//! | `schedule` | what is due when |
//! | `probe` | one probe: what is sent, and what has to come back |
//! | `targets` | the backends, each with its state and what its probes came to |
//! | `worker`, `echo`, `connections` | the loop on a thread of its own, and its sockets for echo requests and TCP connections |
//! | `prober` | the daemon's handle |
//! | `checked` | one probe now, step by step |
//! | `memory` | the file that outlives the daemon |
//! | `view` | what is shown |

mod checked;
mod connections;
mod echo;
mod memory;
mod penalty;
pub mod probe;
mod prober;
mod schedule;
pub mod state;
mod targets;
pub mod view;
mod worker;

use std::{net::IpAddr, sync::Arc};

pub use self::prober::{Prober, Watch};
pub use crate::dataplane::inventory::DownSet;
use crate::desired::{Health, HealthFacts};

/// A backend of a pool that has a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of its pool.
    pub pool: String,
    /// Its tunnel address.
    pub backend: IpAddr,
    /// Its index, which marks its probes.
    pub backend_index: u32,
    /// The address that its probes are sent to.
    pub vip: IpAddr,
    /// The check of the pool.
    pub health: Arc<Health>,
}

/// The health address of the family of a VIP.
pub fn source_for(facts: &HealthFacts, vip: IpAddr) -> Option<IpAddr> {
    match vip {
        IpAddr::V4(_) => facts.source_ipv4.map(IpAddr::V4),
        IpAddr::V6(_) => facts.source_ipv6.map(IpAddr::V6),
    }
}
