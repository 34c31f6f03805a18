//! Addresses of the PoP, and services.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
    },
    Answer, Case, Check, Concerns,
};
use crate::{
    config,
    desired::{Backend, PopRole, Role},
};

pub(super) const CHECKS: [Check; 4] = [
    Check {
        code: "tunnel_source_foreign",
        severities: &[Error, Warning],
        concerns: Concerns::Pops,
        finds: "an outer source that is no address of this host, or a prefix of them that is not routed to it",
        run: tunnel_source_foreign,
    },
    Check {
        code: "vip_is_local",
        severities: &[Error],
        concerns: Concerns::Pops,
        finds: "a VIP that is an address of the PoP",
        run: vip_is_local,
    },
    Check {
        code: "outer_source_single",
        severities: &[Warning],
        concerns: Concerns::Pops,
        finds: "tunnels whose outer headers are all the same, and so go to one receive queue of the gateway",
        run: outer_source_single,
    },
    Check {
        code: "backend_without_flows",
        severities: &[Warning],
        concerns: Concerns::Pops,
        finds: "a backend whose weight is too small a part of its pool's",
        run: backend_without_flows,
    },
];

fn tunnel_source_foreign(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Role::Pop(pop) = &case.config.local.role else { return };
    let sources = [
        ("source_ipv4", pop.tunnel_source_ipv4.map(IpNet::V4)),
        ("source_ipv6", pop.tunnel_source_ipv6.map(IpNet::V6)),
    ];
    for (field, source) in sources.into_iter().filter_map(|(field, source)| Some((field, source?))) {
        let place = Place::Field(format!("tunnel.{field}"));
        if source.prefix_len() < source.max_prefix_len() {
            if !case.facts.local_sources.contains(&source) {
                let problem = format!("`{source}` is no local prefix of this host: errors of the backbone are lost");
                answer.warning(place, problem, format!("ip route add local {source} dev lo"));
            }
            continue;
        }
        let source = source.addr();
        if !case.facts.has_address(source) {
            answer.error(
                place,
                format!("`{source}` is not an address of this host: nothing that is sent to it arrives"),
                format!(
                    "ip address add {} dev {}; or write in [tunnel]: {field} = an address that this host has",
                    host_prefix(source),
                    case.backbone_name()
                ),
            );
        }
    }
}

/// An address with the length of its family.
pub(super) fn host_prefix(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

fn vip_is_local(case: &Case<'_>, answer: &mut Answer<'_>) {
    for vip in &case.config.services.vips {
        for own in case.facts.addresses.iter().filter(|own| own.address == vip.address) {
            let name = case.facts.link_by_index(own.ifindex).map_or("DEVICE", |(name, _)| name.as_str());
            answer.error(
                Place::vip(&vip.name),
                format!("`{}` is an address of `{name}`: it hides the route that announces it, and what is passed ends here", own.address),
                format!("ip address del {}/{} dev {name}", own.address, own.prefix_len_bits),
            );
        }
    }
}

/// What makes the outer headers toward a backend differ by flow.
enum Entropy {
    /// Nothing.
    None,
    /// The flow label of IPv6.
    FlowLabel,
    /// UDP source ports.
    Ports,
    /// Addresses of a prefix.
    Sources,
}

fn entropy(pop: &PopRole, backend: &Backend) -> Entropy {
    if backend.encap.has_own_entropy() {
        Entropy::Ports
    } else if backend.address.is_ipv6() {
        Entropy::FlowLabel
    } else if pop.tunnel_source_ipv4.is_some_and(|source| source.prefix_len() < source.max_prefix_len()) {
        Entropy::Sources
    } else {
        Entropy::None
    }
}

fn outer_source_single(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Role::Pop(pop) = &case.config.local.role else { return };
    let Some(source) = pop.tunnel_source_ipv4 else { return };
    let backends = case.config.services.pools.iter().flat_map(|pool| &pool.backends);
    let mut alike: Vec<_> = backends
        .filter(|backend| matches!(entropy(pop, backend), Entropy::None))
        .map(|backend| backend.address.to_string())
        .collect();
    alike.sort();
    alike.dedup();
    if !alike.is_empty() {
        answer.warning(
            Place::Field("tunnel.source_ipv4".to_owned()),
            format!(
                "all tunnels to {} come from {} and have no ports: each gateway receives them by one queue",
                alike.join(", "),
                source.addr()
            ),
            "write in [[pool.backend]]: encap = \"gue\"; or in [tunnel]: source_ipv4 = a prefix that is routed to this host; or use IPv6 tunnels, which have flow labels",
        );
    }
}

fn backend_without_flows(case: &Case<'_>, answer: &mut Answer<'_>) {
    // Without a host, what is left are the remarks about weights.
    for remark in config::remarks(case.config, None) {
        answer.warning(Place::Field(remark.field), remark.problem, remark.help);
    }
}
