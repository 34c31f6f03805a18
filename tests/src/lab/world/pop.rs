//! A PoP: its border router, and its hosts with the real daemon.

use std::sync::Arc;

use anyhow::Result;

use super::{
    super::{
        Namespace,
        daemon::Daemon,
        link::{End, Link, LinkSpec},
        routing::{Role, Router, Software, Values},
        scratch::Scratch,
        topology::{BACKBONE_MTU_BYTES, FAMILIES, Family},
    },
    Site,
    addresses::Net,
    files,
    plan::{ACCESS, CARRIERS, OPERATOR_AS, POPS, PREFIXES},
};

/// A PoP.
#[derive(Debug)]
pub struct Pop {
    /// Its hosts.
    pub hosts: Vec<PopHost>,
    /// Its border router.
    pub border: Site,
}

/// A host of a PoP.
// Field order is drop order.
#[derive(Debug)]
pub struct PopHost {
    /// anycast-xdp.
    pub daemon: Daemon,
    /// BGP.
    pub router: Router,
    /// Where both run.
    pub namespace: Arc<Namespace>,
}

impl Pop {
    /// `drain --pop` on all of its hosts: each has a store of its own here.
    pub fn drain(&self) -> Result<()> {
        self.hosts.iter().try_for_each(|host| host.daemon.run_cli(&["drain", "--pop"]).map(drop))
    }

    /// `undrain --pop`.
    pub fn undrain(&self) -> Result<()> {
        self.hosts.iter().try_for_each(|host| host.daemon.run_cli(&["undrain", "--pop"]).map(drop))
    }
}

impl PopHost {
    /// `drain`.
    pub fn drain(&self) -> Result<()> {
        self.daemon.run_cli(&["drain"]).map(drop)
    }

    /// `undrain`.
    pub fn undrain(&self) -> Result<()> {
        self.daemon.run_cli(&["undrain"]).map(drop)
    }
}

/// Where a PoP will be.
#[derive(Debug)]
pub(super) struct Place {
    number: u8,
    pub border: Namespace,
    pub hosts: Vec<Arc<Namespace>>,
}

impl Place {
    /// The namespaces of a PoP.
    pub fn new(number: usize) -> Result<Self> {
        let plan = POPS[number];
        let host = |at: usize| Ok(Arc::new(Namespace::new(&format!("{}{at}", plan.name))?.forwarding()?));
        Ok(Self {
            number: number as u8,
            border: Namespace::new(&format!("border-{}", plan.name))?.forwarding()?,
            hosts: (0..plan.hosts.len()).map(host).collect::<Result<_>>()?,
        })
    }

    /// The links of its hosts.
    pub fn link(&self, backbone: &Namespace, links: &mut Vec<Link>) -> Result<()> {
        for (host, at) in self.hosts.iter().zip(0..) {
            let net = Net::PopHost { pop: self.number, host: at };
            let border = End::new(&self.border, format!("host{at}"), net.interface(1));
            links.push(LinkSpec::new(border, End::new(host, "in0", net.interface(2))).xdp_at_second().create()?);
            let net = Net::HostBackbone { pop: self.number, host: at };
            let far = format!("pop{}-{at}", self.number);
            let link =
                LinkSpec::new(End::new(host, "bb0", net.interface(2)), End::new(backbone, &far, net.interface(1)));
            links.push(link.mtu(BACKBONE_MTU_BYTES).xdp_at_first().create()?);
            for family in FAMILIES {
                let (homes, via) = (Net::Gateway { region: 0, gateway: 0 }.area(family), net.address(family, 1));
                host.ip(&format!("route add {homes} via {via}"))?;
            }
        }
        Ok(())
    }

    /// Starts the routers, then the daemons, which need the routes of those.
    pub fn start(self, scratch: &Scratch) -> Result<Pop> {
        let plan = POPS[self.number as usize];
        let border = Router::of_pop(plan.border, Role::Border, &self.border, scratch, &self.border_values())?;
        let mut routers = Vec::new();
        for ((host, software), at) in self.hosts.iter().zip(plan.hosts).zip(0..) {
            routers.push(Router::of_pop(*software, Role::Host, host, scratch, &self.host_values(*software, at))?);
        }
        let mut hosts = Vec::new();
        for ((namespace, router), at) in self.hosts.into_iter().zip(routers).zip(0..) {
            let instance = namespace.name().to_owned();
            let store = scratch.path().join("store").join(format!("{instance}.db"));
            let text = files::host(&instance, self.number, at, &store);
            let daemon = Daemon::start(&namespace, scratch, &instance, &text)?;
            let services = scratch.write(&format!("{instance}-services.toml"), files::services())?;
            daemon.run_cli(&["apply", "--file", &services.display().to_string()])?;
            hosts.push(PopHost { daemon, router, namespace });
        }
        Ok(Pop { hosts, border: Site { router: border, namespace: self.border } })
    }

    fn border_values(&self) -> Values {
        let pop = self.number;
        let hosts = |family| (0..self.hosts.len() as u8).map(move |host| Net::PopHost { pop, host }.address(family, 2));
        let carriers =
            CARRIERS.iter().zip(0..).map(|(plan, carrier)| (plan.number, Net::Transit { carrier, border: pop }, 1));
        let upstreams = |family| {
            (0..CARRIERS.len() as u8).map(move |carrier| Net::Transit { carrier, border: pop }.address(family, 1))
        };
        let at_exchange = ACCESS.iter().zip(0..).filter(|(plan, _)| plan.exchange == Some(usize::from(pop)));
        let peers = at_exchange.map(|(plan, access)| (plan.number, Net::Exchange { access, border: pop }, 2));
        let neighbours: Vec<(u32, Net, u8)> = carriers.chain(peers).collect();
        let addresses =
            |family| neighbours.iter().map(move |(_, net, host)| net.address(family, *host)).collect::<Vec<_>>();
        let values = Values::default()
            .set("AS", OPERATOR_AS)
            .set("ROUTER_ID", Net::PopHost { pop, host: 0 }.address(Family::V4, 1))
            .list("PREFIX_IPV4", [PREFIXES[0]])
            .list("PREFIX_IPV6", [PREFIXES[1]])
            .list("HOST_IPV4", hosts(Family::V4))
            .list("HOST_IPV6", hosts(Family::V6))
            .list("CARRIER_IPV4", addresses(Family::V4))
            .list("CARRIER_IPV6", addresses(Family::V6))
            .list("UPSTREAM_IPV4", upstreams(Family::V4))
            .list("UPSTREAM_IPV6", upstreams(Family::V6))
            .list("CARRIER_AS", neighbours.iter().map(|(number, ..)| number));
        with_name(values, POPS[usize::from(pop)].border, &format!("border-{}", POPS[usize::from(pop)].name))
    }

    fn host_values(&self, software: Software, host: u8) -> Values {
        let net = Net::PopHost { pop: self.number, host };
        let values = Values::default()
            .set("AS", OPERATOR_AS)
            .set("ROUTER_ID", net.address(Family::V4, 2))
            .list("PREFIX_IPV4", [PREFIXES[0]])
            .list("PREFIX_IPV6", [PREFIXES[1]])
            .list("BORDER_IPV4", [net.address(Family::V4, 1)])
            .list("BORDER_IPV6", [net.address(Family::V6, 1)]);
        with_name(values, software, &format!("{}-{host}", POPS[usize::from(self.number)].name))
    }
}

/// BIRD's configurations have no name.
fn with_name(values: Values, software: Software, name: &str) -> Values {
    match software {
        Software::Frr => values.set("HOSTNAME", name),
        Software::Bird => values,
    }
}
