//! The MTU in force toward a backend: the least of what its route, the configuration and backbone routers say.

use std::{collections::BTreeMap, net::IpAddr};

/// MTUs beside the routes' own, in bytes.
#[derive(Debug, Default)]
pub struct Mtus {
    /// From the configuration, by backend index.
    pub configured: BTreeMap<u32, u16>,
    /// From backbone routers, by tunnel address.
    pub learnt: BTreeMap<IpAddr, u16>,
}

impl Mtus {
    /// The least of all that is known.
    pub fn in_force(&self, address: IpAddr, index: u32, route_mtu_bytes: u16) -> u16 {
        let known = self.configured.get(&index).into_iter().chain(self.learnt.get(&address));
        known.copied().fold(route_mtu_bytes, u16::min)
    }
}
