//! `[[vip]]`.

use std::net::IpAddr;

use anycast_common::header::protocol;

use super::{
    super::{
        failover,
        findings::{Findings, Problem},
        place::{Located, Place},
        schema::fields,
        table::Table,
        types::{Name, ReturnWay, RoleName, WithoutPop},
    },
    Home, names,
};
use crate::desired::{Binding, FailoverPolicy, HashOn, IcmpEcho, Listener, Returns, Vip};

/// `[[vip]]`
pub(in crate::config) struct VipDraft {
    pub(in crate::config) place: Place,
    pub(in crate::config) name: Option<Located<Name>>,
    pub(in crate::config) address: Option<Located<IpAddr>>,
    pub(in crate::config) listeners: Vec<Located<Listener>>,
    pub(in crate::config) hash: HashOn,
    pub(in crate::config) pool: Option<Located<Name>>,
    icmp_echo: Option<IcmpEcho>,
    pub(super) returns: Option<Returns>,
    pub(in crate::config) fallback_pools: Vec<Located<Name>>,
    pub(in crate::config) failover: Option<FailoverPolicy>,
    pub(in crate::config) publish: Option<Vec<Located<Name>>>,
}

pub(super) fn read_vip(vip: &Table<'_>, home: Home, role: Option<RoleName>, findings: &mut Findings<'_>) -> VipDraft {
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
    let failover = failover::read(vip, role, !fallback_pools.is_empty(), findings);
    VipDraft {
        place: vip.place.clone(),
        name,
        address,
        listeners,
        hash,
        pool,
        fallback_pools,
        failover,
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

impl VipDraft {
    /// Names of the pools that it is bound to, in order.
    pub(in crate::config) fn pool_names(&self) -> impl Iterator<Item = &str> {
        self.pool.iter().chain(&self.fallback_pools).map(|pool| pool.value.0.as_str())
    }

    /// What it shares with other VIPs.
    pub(in crate::config) fn binding(&self) -> Binding {
        let policy = self.failover.unwrap_or_default().binding();
        Binding::new(self.pool_names().map(str::to_owned).collect(), policy)
    }

    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Vip> {
        Some(Vip {
            name: self.name?.value.0,
            address: self.address?.value,
            listeners: self.listeners.into_iter().map(|listener| listener.value).collect(),
            hash: self.hash,
            pool: self.pool.map(|pool| pool.value.0),
            icmp_echo: self.icmp_echo?,
            returns: self.returns?,
            fallback_pools: self.fallback_pools.into_iter().map(|pool| pool.value.0).collect(),
            failover: self.failover?,
            publish: self.publish.map(names),
        })
    }
}
