//! From a [`Topology`] to a [`Lab`].

use std::{net::IpAddr, sync::Arc};

use anyhow::Result;

use super::{
    super::link::{End, Link, LinkSpec},
    FAMILIES, Lab, Namespace, Net, Scratch, Site, Topology, VIP_PREFIXES, VIP_V4, VIP_V6,
    plan::area,
};

pub(super) fn build(topology: &Topology) -> Result<Lab> {
    let scratch = Scratch::new()?;
    let home = Arc::new(Namespace::new("home")?);
    let other_homes: Vec<_> =
        (1..topology.homes).map(|home| Ok(Arc::new(Namespace::new(&format!("home{home}"))?))).collect::<Result<_>>()?;
    let mut links = Vec::new();
    let routers: Vec<Namespace> = (0..topology.routers)
        .map(|router| Namespace::new(&format!("router{router}"))?.forwarding())
        .collect::<Result<_>>()?;
    let sites: Vec<Site> = (0..topology.sites).map(|number| site(topology, number)).collect::<Result<_>>()?;

    for (number, router) in (0..).zip(&routers) {
        links.push(home_link(topology, router, number, &home)?);
        for site in &sites {
            links.extend(backbone_links(topology, site, router, number)?);
        }
    }
    for (number, home) in (1..).zip(&other_homes) {
        links.push(other_home_link(topology, &routers[0], number, home)?);
    }
    for site in &sites {
        links.extend(access_links(topology, site)?);
    }
    // Routes need both ends of every link.
    for site in &sites {
        site_routes(topology, site)?;
    }
    for (number, router) in (0..).zip(&routers) {
        router_routes(topology, router, number)?;
    }
    home_routes(topology, &home)?;
    for (number, home) in (1..).zip(&other_homes) {
        other_home_routes(number, home)?;
    }
    Ok(Lab { topology: topology.clone(), _links: links, sites, routers, home, other_homes, scratch })
}

fn site(topology: &Topology, number: u8) -> Result<Site> {
    Ok(Site {
        number,
        one_armed: topology.one_armed,
        client: Namespace::new(&format!("client{number}"))?,
        transit: Namespace::new(&format!("transit{number}"))?.forwarding()?,
        pop: Arc::new(Namespace::new(&format!("pop{number}"))?.forwarding()?),
    })
}

fn home_link(topology: &Topology, router: &Namespace, number: u8, home: &Namespace) -> Result<Link> {
    let net = Net::Home { router: number };
    let interface = format!("lb{number}");
    let link =
        LinkSpec::new(End::new(router, "rt_home", net.interface(1)), End::new(home, &interface, net.interface(2)));
    answering(link.mtu(topology.backbone_mtu_bytes()).xdp_at_second().create()?, home, &interface)
}

fn other_home_link(topology: &Topology, router: &Namespace, number: u8, home: &Namespace) -> Result<Link> {
    let net = Net::OtherHome { home: number };
    let far = format!("rt_home{number}");
    let link = LinkSpec::new(End::new(router, &far, net.interface(1)), End::new(home, "lb0", net.interface(2)));
    answering(link.mtu(topology.backbone_mtu_bytes()).xdp_at_second().create()?, home, "lb0")
}

/// A link by which a home host answers. Answers may go in tunnels through a PoP's XDP, and so need real checksums, which a
/// NIC would fill in.
fn answering(link: Link, home: &Namespace, interface: &str) -> Result<Link> {
    home.run(&format!("ethtool -K {interface} tx off"))?;
    Ok(link)
}

/// Router ↔ PoP, unless the PoP has one arm, and router ↔ transit.
fn backbone_links(topology: &Topology, site: &Site, router: &Namespace, number: u8) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    let site_number = site.number;
    if !topology.one_armed {
        let net = Net::Backbone { site: site_number, router: number };
        let (near, far) = (format!("bb{number}"), format!("rt_pop{site_number}"));
        let link =
            LinkSpec::new(End::new(&site.pop, &near, net.interface(2)), End::new(router, &far, net.interface(1)));
        links.push(link.mtu(topology.backbone_mtu_bytes()).xdp_at_first().create()?);
    }
    let net = Net::Return { site: site_number, router: number };
    let (near, far) = (format!("tr_rt{number}"), format!("rt_tr{site_number}"));
    let link =
        LinkSpec::new(End::new(&site.transit, &near, net.interface(1)), End::new(router, &far, net.interface(2)));
    links.push(link.mtu(shared_mtu_bytes(topology)).create()?);
    Ok(links)
}

/// MTU of links that a PoP with one arm has its tunnels on as well.
fn shared_mtu_bytes(topology: &Topology) -> u16 {
    if topology.one_armed { topology.backbone_mtu_bytes() } else { topology.access_mtu_bytes() }
}

/// Client ↔ transit, and transit ↔ every access NIC of the PoP.
fn access_links(topology: &Topology, site: &Site) -> Result<Vec<Link>> {
    let net = Net::Client { site: site.number };
    let client = End::new(&site.client, "cl0", net.interface(2));
    let link = LinkSpec::new(client, End::new(&site.transit, "tr_cl", net.interface(1)));
    let mut links = vec![link.mtu(topology.access_mtu_bytes()).create()?];
    for nic in 0..topology.access_nics {
        let net = Net::Access { site: site.number, nic };
        let (near, far) = (format!("tr_pop{nic}"), format!("in{nic}"));
        let link = LinkSpec::new(
            End::new(&site.transit, &near, net.interface(1)),
            End::new(&site.pop, &far, net.interface(2)),
        );
        links.push(link.mtu(shared_mtu_bytes(topology)).xdp_at_second().create()?);
    }
    Ok(links)
}

fn site_routes(topology: &Topology, site: &Site) -> Result<()> {
    let number = site.number;
    for (i, family) in FAMILIES.into_iter().enumerate() {
        let transit = |net: Net| [net.address(family, 1)];
        site.client.ip(&route("default", transit(Net::Client { site: number })))?;
        let nics = (0..topology.access_nics).map(|nic| Net::Access { site: number, nic }.address(family, 2));
        site.transit.ip(&route(VIP_PREFIXES[i], nics))?;
        let routers = (0..topology.routers).map(|router| Net::Return { site: number, router }.address(family, 2));
        for behind_routers in [3, 4] {
            site.transit.ip(&route(&area(behind_routers)[i].trunc().to_string(), routers.clone()))?;
        }
        site.pop.ip(&route("default", transit(Net::Access { site: number, nic: 0 })))?;
        if !topology.one_armed {
            let routers = (0..topology.routers).map(|router| Net::Backbone { site: number, router }.address(family, 1));
            site.pop.ip(&route(&area(4)[i].to_string(), routers))?;
        }
    }
    Ok(())
}

fn router_routes(topology: &Topology, router: &Namespace, number: u8) -> Result<()> {
    for (i, family) in FAMILIES.into_iter().enumerate() {
        for site in 0..topology.sites {
            let transit = Net::Return { site, router: number }.address(family, 1);
            let client = Net::Client { site }.interface(0)[i];
            router.ip(&route(&client.trunc().to_string(), [transit]))?;
            for nic in 0..topology.access_nics {
                let access = Net::Access { site, nic }.interface(0)[i];
                router.ip(&route(&access.trunc().to_string(), [transit]))?;
            }
            // A PoP's tunnel source is one address, whichever router its packets go through: answers to it (ICMP
            // errors of the backbone) reach it through the router's own link.
            if !topology.one_armed {
                let pop = Net::Backbone { site, router: number }.address(family, 2);
                for other in (0..topology.routers).filter(|&other| other != number) {
                    let net = Net::Backbone { site, router: other }.interface(0)[i];
                    router.ip(&route(&net.trunc().to_string(), [pop]))?;
                }
            }
        }
        // The home host, too, is reached at any of its addresses by each router's own link.
        let home = Net::Home { router: number }.address(family, 2);
        for other in (0..topology.routers).filter(|&other| other != number) {
            let net = Net::Home { router: other }.interface(0)[i];
            router.ip(&route(&net.trunc().to_string(), [home]))?;
        }
    }
    Ok(())
}

fn home_routes(topology: &Topology, home: &Namespace) -> Result<()> {
    for (i, family) in FAMILIES.into_iter().enumerate() {
        // PoPs are behind the backbone, which has room for tunnels.
        let routers = (0..topology.routers).map(|router| Net::Home { router }.address(family, 1));
        for of_pops in [2, 3] {
            home.ip(&route(&area(of_pops)[i].to_string(), routers.clone()))?;
        }
        let routers = (0..topology.routers).map(|router| Net::Home { router }.address(family, 1));
        // Clients are behind links of their own MTU, the home host's own is wider. Routers tell a sender of IPv6 what is
        // too big, but what they tell the VIP goes to a PoP (or, here, nowhere): the sender has to know.
        home.ip(&route(&format!("default mtu {}", topology.access_mtu_bytes()), routers))?;
    }
    home.add_loopback_address(VIP_V4)?;
    home.add_loopback_address(VIP_V6)
}

fn other_home_routes(number: u8, home: &Namespace) -> Result<()> {
    for (i, family) in FAMILIES.into_iter().enumerate() {
        home.ip(&route(&area(3)[i].to_string(), [Net::OtherHome { home: number }.address(family, 1)]))?;
        home.ip(&route("default mtu 1500", [Net::OtherHome { home: number }.address(family, 1)]))?;
    }
    home.add_loopback_address(VIP_V4)?;
    home.add_loopback_address(VIP_V6)
}

/// `ip route add` with one next hop, or several of equal cost.
fn route(destination: &str, via: impl IntoIterator<Item = IpAddr>) -> String {
    let hops: Vec<IpAddr> = via.into_iter().collect();
    let family = if hops.iter().any(IpAddr::is_ipv6) { "-6" } else { "-4" };
    let words = format!("{family} route add {destination}");
    match hops.as_slice() {
        [hop] => format!("{words} via {hop}"),
        hops => hops.iter().fold(words, |words, hop| format!("{words} nexthop via {hop}")),
    }
}
