//! The demo's hosts and what runs on them.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};

use crate::lab::{
    Lab, Topology,
    client::{Transfer, download},
    daemon::{Daemon, GatewayConfig, PopConfig, Stats},
    returns::THROUGH_POP,
    server::Nginx,
    topology::{FAMILIES, VIP_V4, VIP_V6},
};

/// Where the PoPs are.
pub(super) const POPS: [&str; 2] = ["beijing", "singapore"];
/// The VIPs by name.
pub(super) const VIPS: [(&str, IpAddr); 2] = [("web", VIP_V4), ("web-ipv6", VIP_V6)];
/// Fetches of each client from each VIP.
const FETCHES: usize = 3;

/// Everything that is up.
// Field order is drop order: servers and daemons before the namespaces that they are in.
#[derive(Debug)]
pub(super) struct World {
    _nginx: Nginx,
    pub pops: Vec<Daemon>,
    pub gateway: Daemon,
    pub lab: Lab,
}

/// One fetch.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub client_at: &'static str,
    pub vip: IpAddr,
    pub transfer: Transfer,
}

impl World {
    /// Builds it and starts the real daemons.
    pub fn build() -> Result<Self> {
        let lab = Topology::two_pops_and_home().build()?;
        let nginx = Nginx::start(&lab.home, lab.scratch.path(), &VIPS.map(|(_, vip)| vip))?;
        // What goes back goes through the PoPs: the home region has no way of its own to the clients.
        lab.cut_direct_way()?;
        let gateway = GatewayConfig::new(&lab).every_vip(THROUGH_POP);
        let gateway = VIPS.iter().fold(gateway, |config, &(name, vip)| config.vip(name, vip));
        let gateway = Daemon::start(&lab.home, &lab.scratch, gateway.instance(), gateway.text())?;
        let mut pops = Vec::new();
        for (site, name) in lab.sites.iter().zip(POPS) {
            let config = PopConfig::new(&lab, site, name).every_vip(THROUGH_POP);
            let config = config.pool("home", &FAMILIES.map(|family| lab.home_address(family)));
            let config = VIPS
                .iter()
                .fold(config, |config, &(name, vip)| config.vip_with_listeners(name, vip, &["tcp/80", "icmp"], "home"));
            pops.push(Daemon::start(&site.pop, &lab.scratch, config.instance(), config.text())?);
        }
        Ok(Self { _nginx: nginx, pops, gateway, lab })
    }

    /// Fetches from both sides; every answer must be a 200.
    pub fn fetch(&self) -> Result<Vec<Fetch>> {
        let mut fetches = Vec::new();
        for (site, client_at) in self.lab.sites.iter().zip(POPS) {
            for (_, vip) in VIPS {
                for _ in 0..FETCHES {
                    let transfer = download(&site.client, vip, "/")
                        .with_context(|| format!("the client at {client_at} does not reach {vip}"))?;
                    ensure!(transfer.http_code == 200, "{vip} answered {} at {client_at}", transfer.http_code);
                    fetches.push(Fetch { client_at, vip, transfer });
                }
            }
        }
        Ok(fetches)
    }

    /// The counters of each PoP, in the order of [`POPS`].
    pub fn counters(&self) -> Result<Vec<Stats>> {
        self.pops.iter().map(Daemon::stats).collect()
    }

    /// Takes everything down, in order, and tells if something refuses to go.
    pub fn finish(self) -> Result<()> {
        let Self { _nginx, pops, gateway, lab } = self;
        for daemon in pops.into_iter().chain([gateway]) {
            daemon.detach()?;
        }
        drop(lab);
        eprintln!("everything is removed again");
        Ok(())
    }
}
