//! Reads the facts of this host: `[host]`, `[hash]`, `[tunnel]`, `[icmp]`, `[health]`, `[publish]`, `[gateway]`,
//! `[[interface]]` and `[limits]`.

use std::net::IpAddr;

use anycast_common::header::GUE_PORT;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    control,
    findings::{Findings, Problem},
    health::{self, SourcesDraft},
    icmp::{self, IcmpDraft},
    place::{Located, Place},
    publish,
    schema::{Field, Roles, Section, fields},
    table::Table,
    types::{Integer, InterfaceName, InterfaceRole, Name, RoleName},
};
use crate::desired::{
    AttachMode, ControlFacts, GRE_KEYS_MAX, GatewayRole, Interface, Limits, Local, PopRole, PublishFacts, Role,
    TRANSITION_SECS,
};

/// The local part of a file as it was read; what was refused or is missing is `None`.
pub(super) struct LocalDraft {
    pub(super) role: Option<RoleName>,
    instance: Option<Name>,
    pop: Option<Name>,
    host: Option<Name>,
    hash_seed: Option<[u8; 16]>,
    pub(super) tunnel: TunnelDraft,
    pub(super) icmp: IcmpDraft,
    transition_secs: Option<u32>,
    pub(super) health: SourcesDraft,
    publish: Option<PublishFacts>,
    pub(super) gateway: GatewayDraft,
    pub(super) interfaces: Vec<InterfaceDraft>,
    pub(super) limits: Option<Limits>,
    control: ControlFacts,
}

/// `[tunnel]`
#[derive(Default)]
pub(super) struct TunnelDraft {
    pub(super) source_ipv4: Option<Located<Ipv4Net>>,
    pub(super) source_ipv6: Option<Located<Ipv6Net>>,
    allow_small_mtu: bool,
    gue_port: Option<u16>,
}

impl TunnelDraft {
    /// The port, or that of a file without the section.
    pub(super) fn gue_port(&self) -> u16 {
        self.gue_port.unwrap_or(GUE_PORT)
    }
}

/// `[gateway]`
#[derive(Default)]
pub(super) struct GatewayDraft {
    pub(super) tunnel_addresses: Vec<Located<IpAddr>>,
    pub(super) allowed_sources: Vec<Located<IpNet>>,
    gre_keys: Vec<u32>,
    gue_port: Option<u16>,
    pub(super) return_mtu_bytes: Option<Located<Integer<576, 65_535>>>,
}

/// `[[interface]]`
pub(super) struct InterfaceDraft {
    pub(super) place: Place,
    pub(super) name: Option<Located<InterfaceName>>,
    pub(super) roles: Option<Vec<Located<InterfaceRole>>>,
    attach: Option<AttachMode>,
}

impl InterfaceDraft {
    /// Whether it has `role`; an interface whose roles were refused may have any.
    pub(super) fn may_be(&self, role: InterfaceRole) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|found| found.value == role))
    }
}

pub(super) fn read(root: &Table<'_>, findings: &mut Findings<'_>) -> LocalDraft {
    let role = root.read(&fields::root::ROLE, findings).map(|role| role.value);
    let instance = root.read(&fields::root::INSTANCE, findings).map(|name| name.value);
    let host = root.section(&fields::host::SECTION, findings);
    let mut host_name = |field| host.as_ref()?.read(field, findings).map(|name: Located<Name>| name.value);
    let (pop, host) = (host_name(&fields::host::POP), host_name(&fields::host::NAME));

    let hash = section_of(root, role, &fields::hash::SECTION, findings);
    let hash_seed = hash.and_then(|hash| hash.read(&fields::hash::SEED, findings)).map(|seed| seed.value.0);
    let tunnel = section_of(root, role, &fields::tunnel::SECTION, findings);
    let tunnel = tunnel.map(|tunnel| read_tunnel(&tunnel, findings)).unwrap_or_default();
    let icmp = icmp::read(root, role, findings);
    let transition_secs = match section_of(root, role, &fields::transition::SECTION, findings) {
        Some(transition) => transition.read(&fields::transition::SECS, findings).map(|secs| secs.value.0),
        None => Some(TRANSITION_SECS),
    };
    let health = section_of(root, role, &fields::health::host::SECTION, findings);
    let health = health::read_sources(health.as_ref(), findings);
    let publish = publish::read(root, role, findings);
    let gateway = section_of(root, role, &fields::gateway::SECTION, findings);
    let gateway = gateway.map(|gateway| read_gateway(&gateway, findings)).unwrap_or_default();

    let interfaces = root.sections(&fields::interface::SECTION, findings);
    let interfaces = interfaces.iter().map(|interface| read_interface(interface, findings)).collect();
    let limits = read_limits(root, findings);
    let control = control::read(root, findings);
    LocalDraft {
        role,
        instance,
        pop,
        host,
        hash_seed,
        tunnel,
        icmp,
        transition_secs,
        health,
        publish,
        gateway,
        interfaces,
        limits,
        control,
    }
}

/// The section `[key]`, where the role of this host has it. With the role unknown, what is there is read all the same.
fn section_of<'a>(
    root: &Table<'a>,
    role: Option<RoleName>,
    section: &'static Section,
    findings: &mut Findings<'_>,
) -> Option<Table<'a>> {
    let expected = role.is_some() || root.place_of(section).is_some();
    (belongs_to(root, role, section, findings) && expected).then(|| root.section(section, findings))?
}

/// Whether the role of this host has a section, as far as the role is known. One that it has not is refused.
pub(super) fn belongs_to(
    root: &Table<'_>,
    role: Option<RoleName>,
    section: &Section,
    findings: &mut Findings<'_>,
) -> bool {
    let (own, other) = match (section.roles, role) {
        (Roles::Pop, Some(RoleName::Gateway)) => ("gateway", "pop"),
        (Roles::Gateway, Some(RoleName::Pop)) => ("pop", "gateway"),
        (Roles::Both | Roles::Pop | Roles::Gateway, _) => return true,
    };
    if let Some(place) = root.place_of(section) {
        let what = format!("role \"{own}\" has no {}", section.header);
        findings.refuse(&place, Problem::new(what, format!("remove it, or write `role = \"{other}\"`")));
    }
    false
}

fn read_tunnel(tunnel: &Table<'_>, findings: &mut Findings<'_>) -> TunnelDraft {
    TunnelDraft {
        source_ipv4: tunnel.read(&fields::tunnel::SOURCE_IPV4, findings),
        source_ipv6: tunnel.read(&fields::tunnel::SOURCE_IPV6, findings),
        allow_small_mtu: tunnel.read(&fields::tunnel::ALLOW_SMALL_MTU, findings).is_some_and(|allow| allow.value),
        gue_port: number(tunnel.read(&fields::tunnel::GUE_PORT, findings)),
    }
}

fn read_gateway(gateway: &Table<'_>, findings: &mut Findings<'_>) -> GatewayDraft {
    let addresses = gateway.read_list(&fields::gateway::TUNNEL_ADDRESSES, findings);
    let sources = gateway.read_list(&fields::gateway::ALLOWED_SOURCES, findings);
    let keys = gateway.read_list(&fields::gateway::GRE_KEYS, findings);
    if let Some(keys) = keys.as_ref().filter(|keys| keys.value.len() > GRE_KEYS_MAX as usize) {
        let what = format!("{} keys are more than {GRE_KEYS_MAX}", keys.value.len());
        findings.refuse(&keys.place, Problem::new(what, "keep the key in use, and the next one while it is changed"));
    }
    GatewayDraft {
        tunnel_addresses: addresses.map(|list| list.value).unwrap_or_default(),
        allowed_sources: sources.map(|list| list.value).unwrap_or_default(),
        gre_keys: keys.map(|keys| keys.value.iter().map(|key| key.value.0).collect()).unwrap_or_default(),
        gue_port: number(gateway.read(&fields::gateway::GUE_PORT, findings)),
        return_mtu_bytes: gateway.read(&fields::gateway::RETURN_MTU_BYTES, findings),
    }
}

fn number<const MIN: u32, const MAX: u32>(read: Option<Located<Integer<MIN, MAX>>>) -> Option<u16> {
    read.and_then(|number| u16::try_from(number.value.0).ok())
}

fn read_interface(interface: &Table<'_>, findings: &mut Findings<'_>) -> InterfaceDraft {
    InterfaceDraft {
        place: interface.place.clone(),
        name: interface.read(&fields::interface::NAME, findings),
        roles: interface.read_list(&fields::interface::ROLES, findings).map(|list| list.value),
        attach: interface.read(&fields::interface::ATTACH, findings).map(|attach| attach.value),
    }
}

fn read_limits(root: &Table<'_>, findings: &mut Findings<'_>) -> Option<Limits> {
    use fields::limits as f;

    if root.place_of(&f::SECTION).is_none() {
        return Some(Limits::default());
    }
    let limits = root.section(&f::SECTION, findings)?;
    let mut all_read = true;
    let limits = Limits {
        vips: limit(&limits, &f::VIPS, &mut all_read, findings),
        pools: limit(&limits, &f::POOLS, &mut all_read, findings),
        backends: limit(&limits, &f::BACKENDS, &mut all_read, findings),
        slots: limit(&limits, &f::SLOTS, &mut all_read, findings),
        groups: limit(&limits, &f::GROUPS, &mut all_read, findings),
        next_hops: limit(&limits, &f::NEXT_HOPS, &mut all_read, findings),
        links: limit(&limits, &f::LINKS, &mut all_read, findings),
        listener_sets: limit(&limits, &f::LISTENER_SETS, &mut all_read, findings),
        vip_drops: limit(&limits, &f::VIP_DROPS, &mut all_read, findings),
        transitions: limit(&limits, &f::TRANSITIONS, &mut all_read, findings),
        return_clients: limit(&limits, &f::RETURN_CLIENTS, &mut all_read, findings),
    };
    all_read.then_some(limits)
}

/// Reads one limit. It does not return early when one is refused, so that all of them are told.
fn limit<const MIN: u32, const MAX: u32>(
    limits: &Table<'_>,
    field: &Field<Integer<MIN, MAX>>,
    all_read: &mut bool,
    findings: &mut Findings<'_>,
) -> u32 {
    let limit = limits.read(field, findings);
    *all_read &= limit.is_some();
    limit.map_or(0, |limit| limit.value.0)
}

impl LocalDraft {
    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Local> {
        let role = match self.role? {
            RoleName::Pop => Role::Pop(PopRole {
                gue_port: self.tunnel.gue_port(),
                tunnel_source_ipv4: self.tunnel.source_ipv4.map(|source| source.value),
                tunnel_source_ipv6: self.tunnel.source_ipv6.map(|source| source.value),
                hash_seed: self.hash_seed?,
                allow_small_mtu: self.tunnel.allow_small_mtu,
                icmp: self.icmp.finish()?,
                transition_secs: self.transition_secs?,
                health: self.health.finish()?,
                publish: self.publish,
            }),
            RoleName::Gateway => Role::Gateway(GatewayRole {
                tunnel_addresses: self.gateway.tunnel_addresses.into_iter().map(|address| address.value).collect(),
                allowed_sources: self.gateway.allowed_sources.into_iter().map(|source| source.value).collect(),
                gre_keys: self.gateway.gre_keys,
                gue_port: self.gateway.gue_port?,
                return_mtu_bytes: number(self.gateway.return_mtu_bytes),
            }),
        };
        Some(Local {
            instance: self.instance?.0,
            role,
            pop: self.pop?.0,
            host: self.host?.0,
            interfaces: self.interfaces.into_iter().map(InterfaceDraft::finish).collect::<Option<_>>()?,
            limits: self.limits?,
            control: self.control,
        })
    }
}

impl InterfaceDraft {
    fn finish(self) -> Option<Interface> {
        Some(Interface {
            access: self.may_be(InterfaceRole::Access),
            backbone: self.may_be(InterfaceRole::Backbone),
            egress: self.may_be(InterfaceRole::Egress),
            name: self.name?.value.0,
            attach: self.attach?,
        })
    }
}
