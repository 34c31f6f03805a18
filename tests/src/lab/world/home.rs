//! A home region: its router, and gateways with the real daemon and real servers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use anyhow::Result;

use super::{
    super::{
        Namespace,
        daemon::Daemon,
        link::{End, Link, LinkSpec},
        scratch::Scratch,
        server::{Nginx, TcpEcho, UdpEcho, Unbound},
        topology::{BACKBONE_MTU_BYTES, FAMILIES},
        wire::Wire,
    },
    GAME_PORT, NUMBER_PORT, VIPS,
    addresses::Net,
    files,
    plan::REGIONS,
};

/// A home region.
#[derive(Debug)]
pub struct Region {
    /// Its gateways.
    pub gateways: Vec<Gateway>,
    /// Its router: `backbone`, `exit`, `gw0` and so on.
    pub router: Namespace,
}

/// A home host: the gateway and the servers on it.
// Field order is drop order.
#[derive(Debug)]
pub struct Gateway {
    _nginx: Nginx,
    _unbound: Unbound,
    _echoes: Vec<(TcpEcho, UdpEcho, UdpEcho)>,
    /// anycast-xdp.
    pub daemon: Daemon,
    /// Where all of it runs; `lb0` is its only interface.
    pub namespace: Arc<Namespace>,
}

/// Where a region will be.
#[derive(Debug)]
pub(super) struct Place {
    number: u8,
    pub router: Namespace,
    gateways: Vec<Arc<Namespace>>,
}

impl Place {
    /// The namespaces of a region.
    pub fn new(number: usize) -> Result<Self> {
        let plan = REGIONS[number];
        let gateway = |at: u8| Ok(Arc::new(Namespace::new(&format!("{}{at}", plan.name))?));
        Ok(Self {
            number: number as u8,
            router: Namespace::new(&format!("router-{}", plan.name))?.forwarding()?,
            gateways: (0..plan.gateways).map(gateway).collect::<Result<_>>()?,
        })
    }

    /// Its links, the long ones to the backbone and to a carrier, and static routes.
    pub fn link(
        &self,
        backbone: &Namespace,
        carrier: &Namespace,
        links: &mut Vec<Link>,
        wires: &mut Vec<Wire>,
    ) -> Result<()> {
        let (plan, region) = (REGIONS[usize::from(self.number)], self.number);
        let (to_backbone, exit) = (Net::Region { region }, Net::Exit { region });
        wires.push(Wire::new(
            End::new(backbone, format!("region{region}"), to_backbone.interface(1)),
            End::new(&self.router, "backbone", to_backbone.interface(2)),
            BACKBONE_MTU_BYTES,
            Duration::from_millis(plan.backbone_delay_ms),
        )?);
        wires.push(Wire::new(
            End::new(carrier, format!("region{region}"), exit.interface(1)),
            End::new(&self.router, "exit", exit.interface(2)),
            1500,
            Duration::from_millis(plan.exit.1),
        )?);
        for family in FAMILIES {
            self.router.ip(&format!("route add default via {}", exit.address(family, 1)))?;
            let pops = Net::HostBackbone { pop: 0, host: 0 }.area(family);
            self.router.ip(&format!("route add {pops} via {}", to_backbone.address(family, 1)))?;
        }
        for (namespace, gateway) in self.gateways.iter().zip(0..) {
            let net = Net::Gateway { region, gateway };
            let near = End::new(&self.router, format!("gw{gateway}"), net.interface(1));
            let link = LinkSpec::new(near, End::new(namespace, "lb0", net.interface(2)));
            links.push(link.mtu(BACKBONE_MTU_BYTES).xdp_at_second().create()?);
            // Answers may go in tunnels through a PoP's XDP, and so need real checksums, which a NIC would fill in.
            namespace.run("ethtool -K lb0 tx off")?;
            for family in FAMILIES {
                namespace.ip(&format!("route add default via {} mtu 1500", net.address(family, 1)))?;
                let pops = Net::HostBackbone { pop: 0, host: 0 }.area(family);
                namespace.ip(&format!("route add {pops} via {}", net.address(family, 1)))?;
                let network = net.network(family);
                backbone.ip(&format!("route add {network} via {}", to_backbone.address(family, 2)))?;
                carrier.ip(&format!("route add {network} via {}", exit.address(family, 2)))?;
            }
            for (_, vip) in VIPS {
                namespace.add_loopback_address(vip)?;
            }
        }
        Ok(())
    }

    /// Starts servers and daemons.
    pub fn start(self, scratch: &Scratch) -> Result<Region> {
        let mut gateways = Vec::new();
        for (namespace, gateway) in self.gateways.into_iter().zip(0..) {
            let net = Net::Gateway { region: self.number, gateway };
            let own = FAMILIES.map(|family| net.address(family, 2));
            let addresses: Vec<IpAddr> = VIPS.iter().map(|(_, vip)| *vip).chain(own).collect();
            let directory = scratch.path().join(format!("{}-servers", namespace.name()));
            std::fs::create_dir(&directory)?;
            let echo = |&address: &IpAddr| {
                let number = self.number * 10 + gateway;
                let tcp = TcpEcho::start(&namespace, address, GAME_PORT, number)?;
                let udp = UdpEcho::start(&namespace, address, GAME_PORT)?;
                Ok((tcp, udp, UdpEcho::numbered(&namespace, address, NUMBER_PORT, number)?))
            };
            let instance = namespace.name().to_owned();
            let text = files::gateway(&instance, self.number, gateway);
            gateways.push(Gateway {
                _nginx: Nginx::start(&namespace, &directory, &addresses)?,
                _unbound: Unbound::start(&namespace, &directory, &addresses)?,
                _echoes: addresses.iter().map(echo).collect::<Result<_>>()?,
                daemon: Daemon::start(&namespace, scratch, &instance, &text)?,
                namespace,
            });
        }
        Ok(Region { gateways, router: self.router })
    }
}
