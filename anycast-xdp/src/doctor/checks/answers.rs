//! How the stack of a gateway answers: the way back to clients, ARP, and the size of what it asks clients for.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::{
    super::{
        Place,
        Severity::{Error, Info, Warning},
        checklist::{CLIENT_MTU_BYTES, mss_bytes},
        facts::{Address, CLIENTS, sysctls::set},
    },
    Answer, Case, Check, Concerns,
    gateway::{knows_stack_routes, stack_route},
    interfaces::present,
};
use crate::desired::{Encap, Returns, Role, Vip};

pub(super) const CHECKS: [Check; 4] = [
    Check {
        code: "return_route_missing",
        severities: &[Error],
        concerns: Concerns::Gateways,
        finds: "a gateway without a route to clients",
        run: return_route_missing,
    },
    Check {
        code: "advmss_missing",
        severities: &[Warning],
        concerns: Concerns::Gateways,
        finds: "answers that ask clients for longer segments than fit a tunnel",
        run: advmss_missing,
    },
    Check {
        code: "arp_answers_for_vip",
        severities: &[Warning],
        concerns: Concerns::Gateways,
        finds: "a gateway that answers ARP requests for a VIP within one of its subnets",
        run: arp_answers_for_vip,
    },
    Check {
        code: "arp_announces_vip",
        severities: &[Info],
        concerns: Concerns::Gateways,
        finds: "a gateway that asks for its router with a VIP as the sender",
        run: arp_announces_vip,
    },
];

/// Families that the gateway has VIPs of: an address of a client, the VIPs, and the option of `ip`.
fn families<'a>(case: &Case<'a>) -> impl Iterator<Item = (IpAddr, Vec<&'a Vip>, &'static str)> {
    let vips = &case.config.services.vips;
    CLIENTS.into_iter().filter_map(|client| {
        let vips: Vec<_> = vips.iter().filter(|vip| vip.address.is_ipv4() == client.is_ipv4()).collect();
        let option = if client.is_ipv4() { "-4" } else { "-6" };
        (!vips.is_empty()).then_some((client, vips, option))
    })
}

fn return_route_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (client, vips, option) in families(case) {
        match stack_route(case, client) {
            Err(reason) => answer.skip(Place::Host, reason),
            Ok(None) => answer.error(
                Place::Host,
                format!(
                    "there is no route to clients: answers of {} VIPs (`{}`, ...) go nowhere",
                    vips.len(),
                    vips[0].name
                ),
                format!("ip {option} route add default via ROUTER dev INTERFACE"),
            ),
            Ok(Some(_)) => {}
        }
    }
}

/// The size of a client's segments is what the answer to its SYN says, and only the gateway sees that answer.
fn advmss_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Role::Gateway(gateway) = &case.config.local.role else { return };
    // The PoPs choose the encap: at least that of IPIP is needed.
    let backbone = present(case).filter(|(interface, _)| interface.backbone).map(|(_, link)| link.mtu_bytes).min();
    let overhead_bytes =
        gateway.tunnel_addresses.iter().map(|address| Encap::Ipip.overhead_bytes(*address) as u32).max();
    let Some((mtu_bytes, overhead_bytes)) = backbone.zip(overhead_bytes) else { return };
    let inner_mtu_bytes = mtu_bytes.saturating_sub(overhead_bytes);
    if inner_mtu_bytes >= CLIENT_MTU_BYTES {
        return;
    }
    for (client, vips, option) in families(case) {
        // Those that go through PoPs are clamped on their way.
        if vips.iter().all(|vip| vip.returns != Returns::Direct) {
            continue;
        }
        let route = match stack_route(case, client) {
            Ok(Some(route)) => route,
            Ok(None) => continue,
            Err(reason) => {
                answer.skip(Place::Host, reason);
                continue;
            }
        };
        let links = route.ifindexes.iter().filter_map(|ifindex| case.facts.link_by_index(*ifindex));
        let path_mtu_bytes = links.map(|(_, link)| link.mtu_bytes).chain(route.mtu_bytes).min();
        let told_bytes =
            route.advmss_bytes.unwrap_or_else(|| mss_bytes(client, path_mtu_bytes.unwrap_or(CLIENT_MTU_BYTES)));
        let fitting_bytes = mss_bytes(client, inner_mtu_bytes);
        if told_bytes > fitting_bytes {
            answer.warning(
                Place::Host,
                format!("answers ask clients for segments of {told_bytes} bytes; {fitting_bytes} fit a tunnel on a backbone of {mtu_bytes}"),
                format!("ip {option} route change $(ip {option} route show default) advmss {fitting_bytes}; or an MTU of {} on the backbone", CLIENT_MTU_BYTES + overhead_bytes),
            );
        }
    }
}

fn arp_answers_for_vip(case: &Case<'_>, answer: &mut Answer<'_>) {
    if !knows_stack_routes(case, answer) {
        return;
    }
    for (vip, address) in local_ipv4_vips(case) {
        for own in case.facts.addresses.iter().filter(|own| is_asked_for(own, address)) {
            let Some((name, _)) = case.facts.link_by_index(own.ifindex).filter(|(_, link)| link.ethernet) else {
                continue;
            };
            match case.facts.sysctls.effective(name, "arp_ignore") {
                Err(reason) => answer.skip(Place::interface(name), reason),
                Ok(0) => answer.warning(
                    Place::interface(name),
                    format!("this host answers ARP requests for {address} (`{}`) on `{name}`: hosts of that subnet do not reach the PoP", vip.name),
                    set(name, "arp_ignore", 1),
                ),
                Ok(_) => {}
            }
        }
    }
}

/// IPv4 VIPs that the stack of this host serves.
fn local_ipv4_vips<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Vip, Ipv4Addr)> {
    let is_local =
        |vip: &&Vip| stack_route(case, vip.address).is_ok_and(|route| route.is_some_and(|route| route.local));
    let vips: Vec<_> = case.config.services.vips.iter().filter(is_local).collect();
    vips.into_iter().filter_map(|vip| if let IpAddr::V4(address) = vip.address { Some((vip, address)) } else { None })
}

/// Whether hosts on the link of an own address would ask by ARP for `vip`.
fn is_asked_for(own: &Address, vip: Ipv4Addr) -> bool {
    let IpAddr::V4(address) = own.address else { return false };
    own.prefix_len_bits < 32
        && address != vip
        && Ipv4Net::new(address, own.prefix_len_bits).is_ok_and(|subnet| subnet.contains(&vip))
}

fn arp_announces_vip(case: &Case<'_>, answer: &mut Answer<'_>) {
    if !knows_stack_routes(case, answer) || local_ipv4_vips(case).next().is_none() {
        return;
    }
    let route = match stack_route(case, CLIENTS[0]) {
        Ok(route) => route,
        Err(reason) => return answer.skip(Place::Host, reason),
    };
    let links = route.iter().flat_map(|route| &route.ifindexes).filter_map(|index| case.facts.link_by_index(*index));
    for (name, _) in links {
        match case.facts.sysctls.effective(name, "arp_announce") {
            Err(reason) => answer.skip(Place::interface(name), reason),
            Ok(0 | 1) => answer.info(
                Place::interface(name),
                format!("ARP requests on `{name}` may name a VIP as their sender; some routers do not answer such"),
                set(name, "arp_announce", 2),
            ),
            Ok(_) => {}
        }
    }
}
