//! The API of a running daemon, by real requests. Every answer is held against the schemas that the daemon itself gives.
//!
//! | file | concern |
//! | --- | --- |
//! | `routes` | every route does what it says |
//! | `errors` | every code, and when |
//! | `access` | who may ask, and who did |
//! | `host_file` | what the host's file says beside it |
//! | `maps` | answers and maps |
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod access;
mod checked;
mod errors;
mod host_file;
mod maps;
mod routes;

use std::net::IpAddr;

use anycast_tests::lab::{
    Lab, Topology,
    controlled::{Controlled, ServicesFile},
    topology::Family,
};

use self::checked::Checked;

/// An address of the VIPs' network.
fn address(host: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, host])
}

/// Two pools and a VIP.
fn services(lab: &Lab) -> ServicesFile {
    let backends = [(lab.home_address(Family::V4), 100), (lab.home_address(Family::V6), 50)];
    ServicesFile::default().pool("home", &backends).pool("away", &backends[..1]).vip("web", address(50), "home", "")
}

/// A PoP with those services, at revision 1, and nobody at home.
fn pop() -> (Controlled, Checked) {
    let controlled = Controlled::new(Topology::pop_and_home(), &[]).unwrap();
    controlled.api.apply(services(&controlled.lab).text()).unwrap();
    let checked = Checked::new(controlled.api.clone());
    (controlled, checked)
}
