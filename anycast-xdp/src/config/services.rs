//! Reads the services: `[[prefix]]`, `[[pool]]`, `[[pool.backend]]` and `[[vip]]`.

use std::net::IpAddr;

use anycast_common::{
    encap::Encap,
    header::{GUE_PORT, protocol},
};
use ipnet::IpNet;

use super::{
    findings::{Findings, Problem},
    local::belongs_to,
    place::{Located, Place},
    schema::fields,
    table::Table,
    types::{EncapName, Integer, Name, ReturnWay, RoleName, WithoutPop},
};
use crate::desired::{Backend, HashOn, IcmpEcho, Listener, Pool, Returns, Services, State, Vip};

/// Where the services are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In the host's file.
    HostFile,
    /// In the store: VIPs may be unbound for a while there, and all are in a prefix.
    Store,
}

/// The services of a text as they were read; what was refused or is missing is `None`.
pub(super) struct ServicesDraft {
    pub(super) home: Home,
    pub(super) prefixes: Vec<PrefixDraft>,
    pub(super) pools: Vec<PoolDraft>,
    pub(super) vips: Vec<VipDraft>,
}

/// `[[prefix]]`
pub(super) struct PrefixDraft {
    pub(super) place: Place,
    pub(super) name: Option<Located<Name>>,
    pub(super) prefix: Option<Located<IpNet>>,
    pub(super) publish: Option<Vec<Located<Name>>>,
}

/// `[[pool]]`
pub(super) struct PoolDraft {
    pub(super) place: Place,
    pub(super) name: Option<Located<Name>>,
    home_region: Option<Name>,
    state: Option<State>,
    pub(super) backends: Vec<BackendDraft>,
}

/// `[[pool.backend]]`
pub(super) struct BackendDraft {
    pub(super) address: Option<Located<IpAddr>>,
    weight: Option<Integer<1, 65_535>>,
    /// Its place is that of the parameter, where it has one.
    pub(super) encap: Option<Located<Encap>>,
    pub(super) mtu_bytes: Option<Located<Integer<576, 65_535>>>,
    state: Option<State>,
}

/// `[[vip]]`
pub(super) struct VipDraft {
    pub(super) place: Place,
    pub(super) name: Option<Located<Name>>,
    pub(super) address: Option<Located<IpAddr>>,
    pub(super) listeners: Vec<Located<Listener>>,
    pub(super) hash: HashOn,
    pub(super) pool: Option<Located<Name>>,
    icmp_echo: Option<IcmpEcho>,
    returns: Option<Returns>,
    pub(super) fallback_pools: Vec<Located<Name>>,
    pub(super) publish: Option<Vec<Located<Name>>>,
}

pub(super) fn read(root: &Table<'_>, home: Home, role: Option<RoleName>, findings: &mut Findings<'_>) -> ServicesDraft {
    let prefixes = root.sections(&fields::prefix::SECTION, findings);
    let pools = if belongs_to(root, role, &fields::pool::SECTION, findings) {
        root.sections(&fields::pool::SECTION, findings)
    } else {
        Vec::new()
    };
    let vips = root.sections(&fields::vip::SECTION, findings);
    ServicesDraft {
        home,
        prefixes: prefixes.iter().map(|prefix| read_prefix(prefix, findings)).collect(),
        pools: pools.iter().map(|pool| read_pool(pool, findings)).collect(),
        vips: vips.iter().map(|vip| read_vip(vip, home, role, findings)).collect(),
    }
}

fn read_prefix(prefix: &Table<'_>, findings: &mut Findings<'_>) -> PrefixDraft {
    prefix.read(&fields::prefix::LABELS, findings);
    PrefixDraft {
        place: prefix.place.clone(),
        name: prefix.read(&fields::prefix::NAME, findings),
        prefix: prefix.read(&fields::prefix::PREFIX, findings),
        publish: prefix.read_list(&fields::prefix::PUBLISH, findings).map(|list| list.value),
    }
}

fn read_pool(pool: &Table<'_>, findings: &mut Findings<'_>) -> PoolDraft {
    let name = pool.read(&fields::pool::NAME, findings);
    let home_region = pool.read(&fields::pool::HOME_REGION, findings).map(|region| region.value);
    let state = pool.read(&fields::pool::STATE, findings).map(|state| state.value);
    pool.read(&fields::pool::LABELS, findings);
    let backends = pool.sections(&fields::backend::SECTION, findings);
    let backends = backends.iter().map(|backend| read_backend(backend, findings)).collect();
    PoolDraft { place: pool.place.clone(), name, home_region, state, backends }
}

fn read_backend(backend: &Table<'_>, findings: &mut Findings<'_>) -> BackendDraft {
    BackendDraft {
        address: backend.read(&fields::backend::ADDRESS, findings),
        weight: backend.read(&fields::backend::WEIGHT, findings).map(|weight| weight.value),
        encap: read_encap(backend, findings),
        mtu_bytes: backend.read(&fields::backend::MTU_BYTES, findings),
        state: backend.read(&fields::backend::STATE, findings).map(|state| state.value),
    }
}

/// The encap with its parameter; one that belongs to another encap is refused.
fn read_encap(backend: &Table<'_>, findings: &mut Findings<'_>) -> Option<Located<Encap>> {
    let name = backend.read(&fields::backend::ENCAP, findings);
    let key = backend.read(&fields::backend::GRE_KEY, findings);
    let port = backend.read(&fields::backend::GUE_PORT, findings);
    let Located { value: name, place } = name?;
    let mut only_with = |place: Option<&Place>, owner: EncapName, words: &str| {
        if let Some(place) = place.filter(|_| name != owner) {
            let help = format!("remove it, or write `encap = \"{words}\"`");
            findings.refuse(place, Problem::new(format!("this backend's encap is not `{words}`"), help));
        }
    };
    only_with(key.as_ref().map(|key| &key.place), EncapName::Gre, "gre");
    only_with(port.as_ref().map(|port| &port.place), EncapName::Gue, "gue");
    Some(match name {
        EncapName::Ipip => Located { value: Encap::Ipip, place },
        EncapName::Gre => {
            let (key, place) = key.map_or((None, place), |key| (Some(key.value.0), key.place));
            Located { value: Encap::Gre { key }, place }
        }
        EncapName::Gue => {
            let (port, place) = port.map_or((None, place), |port| (u16::try_from(port.value.0).ok(), port.place));
            Located { value: Encap::Gue { port: port.unwrap_or(GUE_PORT) }, place }
        }
    })
}

fn read_vip(vip: &Table<'_>, home: Home, role: Option<RoleName>, findings: &mut Findings<'_>) -> VipDraft {
    let name = vip.read(&fields::vip::NAME, findings);
    let address = vip.read(&fields::vip::ADDRESS, findings);
    let mut listeners =
        vip.read_list(&fields::vip::LISTENERS, findings).map(|listeners| listeners.value).unwrap_or_default();
    if let Some(address) = &address {
        for listener in &mut listeners {
            match in_family(listener.value, address.value) {
                Ok(adapted) => listener.value = adapted,
                Err(problem) => findings.refuse(&listener.place, problem),
            }
        }
    }
    let hash = vip.read(&fields::vip::HASH, findings);
    let pool = vip.read(&fields::vip::POOL, findings);
    let fallback_pools = vip.read_list(&fields::vip::FALLBACK_POOLS, findings);
    let pool_is_given = vip.has(&fields::vip::POOL);
    let place = vip.place.missing("pool");
    match role {
        Some(RoleName::Pop) if !pool_is_given && home == Home::HostFile => {
            findings.refuse(&place, Problem::new("missing", "add `pool`, the name of a [[pool]], to [[vip]]"));
        }
        Some(RoleName::Pop) if !pool_is_given => {
            if let Some(pools) = &fallback_pools {
                let what = "a VIP without a pool has none to fall back from";
                findings.refuse(&pools.place, Problem::new(what, "write the first of them as `pool`"));
            }
        }
        Some(RoleName::Gateway) if pool_is_given => {
            let place = pool.as_ref().map_or(place, |pool| pool.place.clone());
            let what = "a gateway's VIP has no pool: the packets are for this host";
            findings.refuse(&place, Problem::new(what, "remove `pool`"));
        }
        Some(RoleName::Gateway) => {
            if let Some(hash) = &hash {
                let what = "a gateway's VIP has no hash: the packets are for this host";
                findings.refuse(&hash.place, Problem::new(what, "remove `hash`"));
            }
            if let Some(pools) = &fallback_pools {
                let what = "a gateway's VIP has no pools: the packets are for this host";
                findings.refuse(&pools.place, Problem::new(what, "remove `fallback_pools`"));
            }
        }
        Some(RoleName::Pop) | None => {}
    }
    let icmp_echo = vip.read(&fields::vip::ICMP_ECHO, findings);
    if role == Some(RoleName::Gateway) && vip.has(&fields::vip::ICMP_ECHO) {
        let place = icmp_echo.as_ref().map_or_else(|| vip.place.missing("icmp_echo"), |echo| echo.place.clone());
        let what = "a gateway answers echo requests as its stack does";
        findings.refuse(&place, Problem::new(what, "remove `icmp_echo`, and write it on the PoPs"));
    }
    let icmp_echo = icmp_echo.map(|echo| echo.value);
    let returns = read_returns(vip, role, findings);
    let publish = vip.read_list(&fields::vip::PUBLISH, findings).map(|list| list.value);
    vip.read(&fields::vip::LABELS, findings);
    let hash = hash.map_or(HashOn::default_of(!listeners.is_empty()), |hash| hash.value);
    let fallback_pools = fallback_pools.map(|pools| pools.value).unwrap_or_default();
    VipDraft {
        place: vip.place.clone(),
        name,
        address,
        listeners,
        hash,
        pool,
        fallback_pools,
        icmp_echo,
        returns,
        publish,
    }
}

/// The way that answers take; what to do without a PoP is a gateway's to say, and only of answers that go by PoPs.
fn read_returns(vip: &Table<'_>, role: Option<RoleName>, findings: &mut Findings<'_>) -> Option<Returns> {
    let way = vip.read(&fields::vip::RETURN, findings);
    let without = vip.read(&fields::vip::RETURN_WITHOUT_POP, findings);
    let way = way?.value;
    if let Some(without) = without.as_ref().filter(|_| vip.has(&fields::vip::RETURN_WITHOUT_POP)) {
        if role == Some(RoleName::Pop) {
            let what = "a PoP has no answers but those that come by it";
            findings.refuse(
                &without.place,
                Problem::new(what, "remove `return_without_pop`, and write it on the gateways"),
            );
        } else if way == ReturnWay::Direct {
            let what = "the answers of this VIP go directly, PoP or not";
            findings.refuse(&without.place, Problem::new(what, "remove it, or write `return = \"pop\"`"));
        }
    }
    Some(match (way, without?.value) {
        (ReturnWay::Direct, _) => Returns::Direct,
        (ReturnWay::Pop, WithoutPop::Direct) => Returns::Pop,
        (ReturnWay::Pop, WithoutPop::Drop) => Returns::PopOrDrop,
    })
}

/// A listener as it is meant on a VIP of this family: ICMP over IPv6 is another protocol.
fn in_family(listener: Listener, vip: IpAddr) -> Result<Listener, Problem> {
    match (listener.protocol, vip) {
        (protocol::ICMP, IpAddr::V6(_)) => Ok(Listener { protocol: protocol::ICMPV6, ..listener }),
        (protocol::ICMPV6, IpAddr::V4(_)) => {
            Err(Problem::new("ICMPv6 does not run over IPv4", "write \"icmp\", or give the VIP an IPv6 address"))
        }
        _ => Ok(listener),
    }
}

impl ServicesDraft {
    /// The VIPs whose answers go through PoPs.
    pub(super) fn returning(&self) -> impl Iterator<Item = &VipDraft> {
        self.vips.iter().filter(|vip| vip.returns.is_some_and(|returns| returns != Returns::Direct))
    }

    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Services> {
        Some(Services {
            vips: self.vips.into_iter().map(VipDraft::finish).collect::<Option<_>>()?,
            pools: self.pools.into_iter().map(PoolDraft::finish).collect::<Option<_>>()?,
        })
    }
}

impl VipDraft {
    /// Names of the pools that it is bound to, in order.
    pub(super) fn pool_names(&self) -> impl Iterator<Item = &str> {
        self.pool.iter().chain(&self.fallback_pools).map(|pool| pool.value.0.as_str())
    }

    fn finish(self) -> Option<Vip> {
        Some(Vip {
            name: self.name?.value.0,
            address: self.address?.value,
            listeners: self.listeners.into_iter().map(|listener| listener.value).collect(),
            hash: self.hash,
            pool: self.pool.map(|pool| pool.value.0),
            icmp_echo: self.icmp_echo?,
            returns: self.returns?,
            fallback_pools: self.fallback_pools.into_iter().map(|pool| pool.value.0).collect(),
        })
    }
}

impl PoolDraft {
    fn finish(self) -> Option<Pool> {
        Some(Pool {
            name: self.name?.value.0,
            home_region: self.home_region?.0,
            state: self.state?,
            backends: self.backends.into_iter().map(BackendDraft::finish).collect::<Option<_>>()?,
        })
    }
}

impl BackendDraft {
    fn finish(self) -> Option<Backend> {
        Some(Backend {
            address: self.address?.value,
            weight: u16::try_from(self.weight?.0).ok()?,
            encap: self.encap?.value,
            state: self.state?,
            mtu_bytes: self.mtu_bytes.and_then(|mtu_bytes| u16::try_from(mtu_bytes.value.0).ok()),
        })
    }
}
