//! Failures that nobody is told of: links stay up, and nothing comes out of them.

use anyhow::Result;

use super::{
    super::Namespace,
    World,
    plan::{CARRIERS, POPS, REGIONS},
};

/// Interfaces that send nothing, until this is dropped or [`Dark::end`] is called.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Dark(Vec<(Namespace, String)>);

impl Dark {
    fn new<'a>(interfaces: impl IntoIterator<Item = (&'a Namespace, String)>) -> Result<Self> {
        let mut dark = Self(Vec::new());
        for (namespace, interface) in interfaces {
            // The queue of no return takes every frame, and says that it was sent.
            namespace.run(&format!("tc qdisc replace dev {interface} root blackhole"))?;
            dark.0.push((namespace.share(), interface));
        }
        Ok(dark)
    }

    /// Lets them send again.
    pub fn end(mut self) -> Result<()> {
        self.restore()
    }

    fn restore(&mut self) -> Result<()> {
        self.0.drain(..).try_for_each(|(namespace, interface)| {
            namespace.run(&format!("tc qdisc del dev {interface} root")).map(drop)
        })
    }
}

impl Drop for Dark {
    fn drop(&mut self) {
        // The world may be gone already, and with it the failure.
        let _ = self.restore();
    }
}

impl World {
    /// A carrier carries nothing any more.
    pub fn fail_carrier(&self, carrier: usize) -> Result<Dark> {
        let namespace = &self.carriers[carrier].namespace;
        let pops = (0..POPS.len()).map(|pop| format!("pop{pop}"));
        let customers = super::plan::ACCESS.iter().enumerate().filter(|(_, plan)| plan.carriers.contains(&carrier));
        let customers = customers.map(|(access, _)| format!("acc{access}"));
        let regions = REGIONS.iter().enumerate().filter(|(_, plan)| plan.exit.0 == carrier);
        let regions = regions.map(|(region, _)| format!("region{region}"));
        Dark::new(pops.chain(customers).chain(regions).map(|interface| (namespace, interface)))
    }

    /// A host of a PoP neither hears nor says anything any more, on any side.
    pub fn fail_host(&self, pop: usize, host: usize) -> Result<Dark> {
        Dark::new(self.around_host(pop, host))
    }

    /// Nor does a whole PoP, its border included.
    pub fn fail_pop(&self, pop: usize) -> Result<Dark> {
        let hosts = (0..self.pops[pop].hosts.len()).flat_map(|host| self.around_host(pop, host));
        let border = &self.pops[pop].border.namespace;
        let carriers = (0..CARRIERS.len()).map(|carrier| (border, format!("car{carrier}")));
        let exchanges = super::plan::ACCESS.iter().enumerate().filter(|(_, plan)| plan.exchange == Some(pop));
        let exchanges = exchanges.map(|(access, _)| (border, format!("acc{access}")));
        let from_carriers = self.carriers.iter().map(|site| (&site.namespace, format!("pop{pop}")));
        Dark::new(hosts.chain(carriers).chain(exchanges).chain(from_carriers).collect::<Vec<_>>())
    }

    /// The hosts of a PoP have no way to or from the home regions any more; its border and its carriers know nothing of it.
    pub fn fail_backbone(&self, pop: usize) -> Result<Dark> {
        // What XDP sends passes by the queue of its own side: nothing comes back all the same.
        let ways =
            self.pops[pop].hosts.iter().enumerate().flat_map(|(at, host)| {
                [(&*host.namespace, "bb0".to_owned()), (&self.backbone, format!("pop{pop}-{at}"))]
            });
        Dark::new(ways)
    }

    /// A gateway is gone.
    pub fn fail_gateway(&self, region: usize, gateway: usize) -> Result<Dark> {
        Dark::new(self.around_gateway(region, gateway))
    }

    /// A home region is gone: its gateways, and its ways to the backbone and out.
    pub fn fail_region(&self, region: usize) -> Result<Dark> {
        let router = &self.regions[region].router;
        let gateways =
            (0..self.regions[region].gateways.len()).flat_map(|gateway| self.around_gateway(region, gateway));
        let ways = ["backbone", "exit"].map(|interface| (router, interface.to_owned()));
        Dark::new(gateways.chain(ways))
    }

    fn around_host(&self, pop: usize, host: usize) -> [(&Namespace, String); 3] {
        let namespace = &*self.pops[pop].hosts[host].namespace;
        let border = &self.pops[pop].border.namespace;
        // What comes in by the backbone is not in need of a queue: nothing that it answers to comes any more.
        [(border, format!("host{host}")), (namespace, "in0".to_owned()), (&self.backbone, format!("pop{pop}-{host}"))]
    }

    fn around_gateway(&self, region: usize, gateway: usize) -> [(&Namespace, String); 2] {
        let namespace = &*self.regions[region].gateways[gateway].namespace;
        [(&self.regions[region].router, format!("gw{gateway}")), (namespace, "lb0".to_owned())]
    }
}
