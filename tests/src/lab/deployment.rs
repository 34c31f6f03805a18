//! A lab in which the real daemons run: PoPs encapsulate, the home host decapsulates.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::{
    Lab, Topology,
    daemon::{Daemon, GatewayConfig, PopConfig},
    topology::Family,
};

/// An inner and an outer family.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Name of the VIP: `v4in6` is an IPv4 VIP behind an IPv6 tunnel.
    pub name: &'static str,
    /// The VIP.
    pub vip: IpAddr,
    /// Family of the tunnel.
    pub outer: Family,
}

/// All family mixes: every deployment has a VIP for each.
pub const MIXES: [Mix; 4] = [
    Mix { name: "v4in4", vip: v4(44), outer: Family::V4 },
    Mix { name: "v4in6", vip: v4(46), outer: Family::V6 },
    Mix { name: "v6in4", vip: v6(0x64), outer: Family::V4 },
    Mix { name: "v6in6", vip: v6(0x66), outer: Family::V6 },
];

const fn v4(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, host))
}

const fn v6(host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, host))
}

/// A lab with a running daemon on every PoP and on the home host.
// Field order is drop order: daemons before the namespaces that they are in.
#[derive(Debug)]
pub struct Deployment {
    /// One for each site, in the order of [`Lab::sites`].
    pub pops: Vec<Daemon>,
    /// On the home host.
    pub gateway: Daemon,
    /// The lab.
    pub lab: Lab,
}

impl Deployment {
    /// Builds the topology and starts the daemons, with a whole-IP VIP for each of the [`MIXES`].
    pub fn new(topology: Topology) -> Result<Self> {
        Self::with(topology, |config, lab| {
            MIXES.iter().fold(config, |config, mix| {
                config.pool(mix.name, &[lab.home_address(mix.outer)]).vip(mix.name, mix.vip, mix.name)
            })
        })
    }

    /// Builds the topology and starts the daemons; `services` adds pools and VIPs to every PoP's configuration. The
    /// home host takes all of the [`MIXES`]' VIPs.
    pub fn with(topology: Topology, services: impl Fn(PopConfig, &Lab) -> PopConfig) -> Result<Self> {
        Self::with_gateway(topology, services, |gateway| gateway)
    }

    /// The same, with a change to the gateway's configuration.
    pub fn with_gateway(
        topology: Topology,
        services: impl Fn(PopConfig, &Lab) -> PopConfig,
        change: impl FnOnce(GatewayConfig) -> GatewayConfig,
    ) -> Result<Self> {
        let lab = topology.build()?;
        let mut gateway = change(GatewayConfig::new(&lab));
        for mix in MIXES {
            lab.home.add_loopback_address(mix.vip)?;
            gateway = gateway.vip(mix.name, mix.vip);
        }
        let sites = lab.sites.iter().enumerate();
        let configs: Vec<_> =
            sites.map(|(number, site)| services(PopConfig::new(&lab, site, &format!("pop{number}")), &lab)).collect();
        let mut wanted = vec![(&lab.home, gateway.instance(), gateway.text())];
        wanted
            .extend(lab.sites.iter().zip(&configs).map(|(site, config)| (&site.pop, config.instance(), config.text())));
        let mut pops = Daemon::start_all(&lab.scratch, &wanted)?;
        let gateway = pops.remove(0);
        Ok(Self { pops, gateway, lab })
    }

    /// The daemon of the only PoP of a lab with one.
    pub fn pop(&self) -> &Daemon {
        &self.pops[0]
    }

    /// The addresses of all [`MIXES`].
    pub fn vips() -> [IpAddr; 4] {
        MIXES.map(|mix| mix.vip)
    }
}
