//! Answers through the PoP: deployments that ask for them, and labs without another way.

use anyhow::Result;

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

    /// Gives them back.
    pub fn mend_direct_way(&self) -> Result<()> {
        for router in &self.routers {
            for site in &self.sites {
                for family in FAMILIES {
                    let (option, net) = site.client_net(family);
                    router.ip(&format!("{option} route del blackhole {net}"))?;
                }
            }
        }
        Ok(())
    }
}
