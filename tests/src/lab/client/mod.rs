//! Real clients in a namespace.

mod connections;
mod curl;
pub mod dns;
mod downloads;
mod iperf3;
mod ping;
mod probe;
mod udp;

use std::net::IpAddr;

pub use connections::{ConnectionReport, Connections};
pub use curl::{Curl, Transfer, download, upload};
pub use downloads::{DownloadReport, Downloads};
pub use iperf3::{Iperf3, Iperf3Report};
pub use ping::{PingReport, ping, round_trip};
pub use probe::{Probe, Probed};
pub use udp::{udp_round_trip, udp_servers};

/// `192.0.2.1`, `[2001:db8::1]`.
fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}
