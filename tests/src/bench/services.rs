//! The configurations that the programs under test carry.

use std::net::{IpAddr, Ipv4Addr};

use anycast_common::{
    bench::ADDRESSES,
    header::{GUE_PORT, protocol},
};
use anycast_xdp::desired::{
    Backend, Encap, FailoverPolicy, HashOn, IcmpEcho, Listener, Pool, Returns, Services, State, Vip,
};
use anyhow::Result;

use super::addresses as at;

/// Pool with one IPv4 backend.
pub const POOL_ONE: &str = "one";
/// Pool with one IPv6 backend.
pub const POOL_ONE_V6: &str = "one_v6";
/// Pool with a hundred IPv4 backends.
pub const POOL_HUNDRED: &str = "hundred";
/// Pool with a hundred IPv4 backends behind GUE.
pub const POOL_ARMED: &str = "armed";
/// GUE, as the bench uses it.
const GUE: Encap = Encap::Gue { port: GUE_PORT };

/// VIPs of every kind, a few of each.
pub fn ordinary() -> Result<Services> {
    let encaps = [
        ("gre", at::VIP_GRE_V4, at::BACKEND_V4.into(), Encap::Gre { key: None }),
        ("gre_keyed", at::VIP_GRE_KEYED_V4, at::BACKEND_V4.into(), Encap::Gre { key: Some(7) }),
        ("gue", at::VIP_GUE_V4, at::BACKEND_V4.into(), GUE),
        ("gre_v6", at::VIP_GRE_V6, at::BACKEND_V6.into(), Encap::Gre { key: None }),
        ("gue_v6", at::VIP_GUE_V6, at::BACKEND_V6.into(), GUE),
    ];
    let mut services = Services {
        vips: vec![
            vip("whole_ip", at::VIP_V4.parse()?, false, POOL_ONE),
            vip("whole_ip_v6", at::VIP_V6.parse()?, false, POOL_ONE_V6),
            vip("maglev", at::VIP_MAGLEV_V4.parse()?, false, POOL_HUNDRED),
            vip("listeners", at::VIP_LISTENERS_V4.parse()?, true, POOL_ONE),
            vip("listeners_v6", at::VIP_LISTENERS_V6.parse()?, true, POOL_ONE_V6),
            vip("maglev_listeners", at::VIP_MAGLEV_LISTENERS_V4.parse()?, true, POOL_HUNDRED),
            armed(at::VIP_ARMED_V4.parse()?),
        ],
        pools: vec![
            pool(POOL_ONE, [at::BACKEND_V4.into()], Encap::Ipip),
            pool(POOL_ONE_V6, [at::BACKEND_V6.into()], Encap::Ipip),
            pool(POOL_HUNDRED, hundred(), Encap::Ipip),
            pool(POOL_ARMED, hundred(), GUE),
        ],
        ..Services::default()
    };
    for (name, address, backend, encap) in encaps {
        services.vips.push(vip(name, address.parse()?, false, name));
        services.pools.push(pool(name, [backend], encap));
    }
    Ok(services)
}

/// As many VIPs as the map of the bare look-up has addresses, and the same ones.
pub fn many_vips() -> Services {
    let vips = (0..ADDRESSES).map(|nth| {
        let address = Ipv4Addr::from_bits(at::MANY_FIRST_V4.to_bits() + nth);
        vip(&format!("vip{nth}"), address.into(), false, POOL_ONE)
    });
    Services {
        vips: vips.collect(),
        pools: vec![pool(POOL_ONE, [at::BACKEND_V4.into()], Encap::Ipip)],
        ..Services::default()
    }
}

/// What a gateway serves: VIPs without pools.
pub fn gateway() -> Result<Services> {
    let vips = [
        ("v4", at::VIP_V4, Returns::Direct),
        ("v6", at::VIP_V6, Returns::Direct),
        ("pop_v4", at::VIP_POP_V4, Returns::Pop),
        ("pop_v6", at::VIP_POP_V6, Returns::Pop),
    ];
    let vips = vips.map(|(name, address, returns)| {
        Ok(Vip {
            name: name.into(),
            address: address.parse()?,
            listeners: Vec::new(),
            hash: HashOn::Addresses,
            pool: None,
            icmp_echo: IcmpEcho::default(),
            returns,
            fallback_pools: Vec::new(),
            failover: FailoverPolicy::default(),
            publish: None,
        })
    });
    Ok(Services { vips: vips.into_iter().collect::<Result<_>>()?, pools: Vec::new(), ..Services::default() })
}

/// One VIP whose answers come back to the PoP.
pub fn returning() -> Result<Services> {
    let vip = vip("pop", at::VIP_POP_V4.parse()?, false, POOL_ONE);
    Ok(Services {
        vips: vec![Vip { returns: Returns::Pop, ..vip }],
        pools: vec![pool(POOL_ONE, [at::BACKEND_V4.into()], Encap::Ipip)],
        ..Services::default()
    })
}

/// A hundred backends.
fn hundred() -> impl Iterator<Item = IpAddr> {
    (1..=100).map(|nth| Ipv4Addr::from_bits(at::BACKENDS_FIRST_V4.to_bits() + nth).into())
}

/// Everything that a VIP can have.
fn armed(address: IpAddr) -> Vip {
    let ports = Some((at::PORT, at::PORT));
    let listeners = [protocol::TCP, protocol::UDP].map(|protocol| Listener { protocol, ports });
    Vip {
        listeners: listeners.into(),
        fallback_pools: vec![POOL_HUNDRED.into()],
        icmp_echo: IcmpEcho::Answer,
        ..vip(POOL_ARMED, address, true, POOL_ARMED)
    }
}

fn vip(name: &str, address: IpAddr, listens: bool, pool: &str) -> Vip {
    let listener = Listener { protocol: protocol::TCP, ports: Some((at::PORT, at::PORT)) };
    let listeners = if listens { vec![listener] } else { Vec::new() };
    Vip {
        name: name.into(),
        address,
        hash: HashOn::default_of(!listeners.is_empty()),
        listeners,
        pool: Some(pool.into()),
        fallback_pools: Vec::new(),
        icmp_echo: IcmpEcho::default(),
        returns: Returns::default(),
        failover: FailoverPolicy::default(),
        publish: None,
    }
}

fn pool(name: &str, addresses: impl IntoIterator<Item = IpAddr>, encap: Encap) -> Pool {
    let backend = |address| Backend { address, weight: 1, encap, mtu_bytes: None, state: State::Up };
    let backends = addresses.into_iter().map(backend).collect();
    Pool { name: name.into(), home_region: "home".into(), state: State::Up, backends, health: None, dial_percent: 100 }
}
