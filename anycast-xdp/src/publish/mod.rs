//! Publishing: which VIPs and prefixes this host offers to the PoP's routers, by kernel routes
//! ([ADR 9](../../../docs/adr/0009-health-and-publishing.md)).
//!
//! | file | concern |
//! | --- | --- |
//! | `policy` | may a VIP be published here, and why not |
//! | `hold` | one that could not be served comes back when it has been well for a while |
//! | `drain` | the phases of a drain |
//! | `host_drain` | the file that keeps the drain of a host |
//! | `publisher` | all of that for all VIPs: the routes that are wanted, and what is told of each |
//! | `routes` | the kernel's routes: what is there, what is missing, what someone else took away |
//! | `report` | what is told, as the API has it |
//! | `watchdog` | when everything is withdrawn although no daemon says so |
//!
//! `policy`, `hold`, `drain` and `publisher` are pure: time and the view of the datapath are passed in.

pub mod drain;
mod hold;
pub mod host_drain;
pub mod policy;
pub mod publisher;
pub mod report;
pub mod routes;
pub mod watchdog;

/// Metric of a route in service.
pub const METRIC: u32 = 100;
/// Metric of a route that is about to go, which the policies of routers turn into GRACEFUL_SHUTDOWN (RFC 8326).
pub const DRAINING_METRIC: u32 = 200;
