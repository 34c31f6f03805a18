//! A lab whose PoP has its services in a store, and changes them by its API.

use std::{fmt::Write as _, net::IpAddr, path::PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::{
    Lab, Topology,
    api::Api,
    daemon::{Daemon, GatewayConfig, PopConfig},
    topology::{VIP_PREFIXES, VIP_V4, VIP_V6},
};

/// A file of services, as `apply` takes it.
#[derive(Clone, Debug)]
#[must_use]
pub struct ServicesFile(String);

impl Default for ServicesFile {
    /// The prefixes of every lab, and nothing else.
    fn default() -> Self {
        let prefixes = ["anycast-v4", "anycast-v6"].iter().zip(VIP_PREFIXES);
        Self(prefixes.fold(String::new(), |mut text, (name, prefix)| {
            let _ = write!(text, "[[prefix]]\nname = \"{name}\"\nprefix = \"{prefix}\"\n");
            text
        }))
    }
}

impl ServicesFile {
    /// Adds a pool of backends, each with its weight.
    pub fn pool(mut self, name: &str, backends: &[(IpAddr, u16)]) -> Self {
        let _ = write!(self.0, "[[pool]]\nname = \"{name}\"\nhome_region = \"guangzhou\"\n");
        for (address, weight) in backends {
            let _ = write!(self.0, "[[pool.backend]]\naddress = \"{address}\"\nweight = {weight}\n");
        }
        self
    }

    /// Adds a VIP on a pool, with these lines besides.
    pub fn vip(mut self, name: &str, address: IpAddr, pool: &str, lines: &str) -> Self {
        let _ = write!(self.0, "[[vip]]\nname = \"{name}\"\naddress = \"{address}\"\npool = \"{pool}\"\n{lines}");
        self
    }

    /// The file.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A lab with gateways on its home hosts, and a PoP without services yet.
// Field order is drop order: daemons before the namespaces that they are in.
#[derive(Debug)]
pub struct Controlled {
    /// The daemon of the PoP.
    pub pop: Daemon,
    /// Those of the home hosts.
    pub gateways: Vec<Daemon>,
    /// The API of the PoP.
    pub api: Api,
    /// The lab.
    pub lab: Lab,
}

impl Controlled {
    /// Builds the topology and starts the daemons; the home hosts take and have these VIPs. Without any they have no
    /// daemons.
    pub fn new(topology: Topology, vips: &[IpAddr]) -> Result<Self> {
        Self::behind(topology, vips, &[])
    }

    /// The same, where the PoP's daemon is started by these words, which are before its own.
    pub fn behind(topology: Topology, vips: &[IpAddr], words: &[&str]) -> Result<Self> {
        let lab = topology.build()?;
        let mut gateways = Vec::new();
        for (home, number) in lab.homes().zip(0..).filter(|_| !vips.is_empty()) {
            let mut config = GatewayConfig::of_home(&lab, number, home);
            for vip in vips {
                // These two every home host has.
                if ![VIP_V4, VIP_V6].contains(vip) {
                    home.add_loopback_address(*vip)?;
                }
                config = config.vip(&format!("vip-{}", vip.to_string().replace([':', '.'], "-")), *vip);
            }
            gateways.push(Daemon::start(home, &lab.scratch, config.instance(), config.text())?);
        }
        let config = Self::host(&lab);
        let pop = Daemon::start_behind(words, &lab.site().pop, &lab.scratch, config.instance(), config.text())?;
        Ok(Self { api: Api::of(&pop), pop, gateways, lab })
    }

    /// The file of the PoP: no services, and a store in the lab's own directory.
    pub fn host(lab: &Lab) -> PopConfig {
        let store = Self::store(lab);
        PopConfig::new(lab, lab.site(), "pop0").and(&format!("\n[store]\npath = \"{}\"\n", store.display()))
    }

    /// The store of the PoP.
    pub fn store(lab: &Lab) -> PathBuf {
        lab.scratch.path().join("store/pop0.db")
    }

    /// The VIPs that the maps have, by `anycast-xdp vips`.
    pub fn vips(&self) -> Result<Vec<Value>> {
        Ok(serde_json::from_str(&self.pop.run_cli(&["vips", "--output", "json"])?)?)
    }
}
