//! Answers through the PoP: deployments that ask for them, and labs without another way.

use anyhow::Result;
use ipnet::IpNet;

use super::{
    Lab, Topology,
    daemon::{GatewayConfig, PopConfig},
    deployment::{Deployment, MIXES},
    topology::FAMILIES,
};

/// Line of a VIP whose answers go through the PoP.
pub const THROUGH_POP: &str = "return = \"pop\"\n";
/// Lines of a backend: GRE.
pub const GRE: &str = "encap = \"gre\"\n";
/// Lines of a backend: GRE with a key.
pub const GRE_KEYED: &str = "encap = \"gre\"\ngre_key = 305419896\n";
/// Lines of a backend: GUE.
pub const GUE: &str = "encap = \"gue\"\n";

/// Prefixes of tunnel sources of a PoP host that has many.
const MANY_SOURCES: [&str; 2] = ["10.3.64.0/24", "fd00:3:64::/112"];

impl Deployment {
    /// A deployment in which the answers of all VIPs go through the PoP. Each of the [`MIXES`] has a pool with these lines in
    /// its backends.
    pub fn returning(
        topology: Topology,
        backend_lines: &str,
        change_pop: impl Fn(PopConfig) -> PopConfig,
        change_gateway: impl FnOnce(GatewayConfig) -> GatewayConfig,
    ) -> Result<Self> {
        let services = |config: PopConfig, lab: &Lab| {
            MIXES.iter().fold(change_pop(config).every_vip(THROUGH_POP), |config, mix| {
                config
                    .pool_with(mix.name, &[lab.home_address(mix.outer)], backend_lines)
                    .vip(mix.name, mix.vip, mix.name)
            })
        };
        Self::with_gateway(topology, services, |gateway| change_gateway(gateway.every_vip(THROUGH_POP)))
    }

    /// The same in GUE, from a PoP host that has many tunnel sources, and these prefixes of them.
    pub fn returning_to_many_sources(change_pop: impl Fn(PopConfig) -> PopConfig) -> Result<(Self, [IpNet; 2])> {
        let [ipv4, ipv6] = MANY_SOURCES;
        let sources = [ipv4.parse()?, ipv6.parse()?];
        let deployment = Self::returning(
            Topology::pop_and_home(),
            GUE,
            |config| change_pop(config.sources(sources)),
            |config| config.tunnels(&sources, &[]),
        )?;
        let site = deployment.lab.site();
        for (prefix, family) in sources.iter().zip(FAMILIES) {
            deployment.lab.routers[0].ip(&format!("route add {prefix} via {}", site.tunnel_source(family)))?;
        }
        Ok((deployment, sources))
    }
}

impl Lab {
    /// Takes away the routers' ways to clients other than through PoPs: what goes directly stops.
    pub fn cut_direct_way(&self) -> Result<()> {
        for router in &self.routers {
            for site in &self.sites {
                for family in FAMILIES {
                    let (option, net) = site.client_net(family);
                    router.ip(&format!("{option} route replace blackhole {net}"))?;
                }
            }
        }
        Ok(())
    }
}
