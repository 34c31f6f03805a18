//! The checks of a configuration against [`HostFacts`].

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::{HostFacts, mtu, returns};
use crate::desired::{Config, GatewayRole, PopRole, Role};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `run` refuses to start.
    Error,
    /// It would run, but perhaps not as meant.
    Warning,
}

/// Something about a valid configuration, or about this host for it, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// How bad it is.
    pub severity: Severity,
    /// Path of the field that it is about.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub help: String,
}

impl Remark {
    pub(super) fn error(field: impl Into<String>, problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Error, field: field.into(), problem: problem.into(), help: help.into() }
    }

    pub(in crate::config) fn warning(
        field: impl Into<String>,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(field, problem, help) }
    }

    /// As it is told of a file.
    pub fn line(&self, file: &str) -> String {
        let severity = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        format!("{file}: {}: {severity}{}\n  help: {}\n", self.field, self.problem, self.help)
    }
}

/// What keeps a host from running a valid configuration, as it is told: one `FILE: FIELD: what` with a line of help each.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misfits(String);

/// The warnings among the remarks on a file.
///
/// # Errors
///
/// There are errors among them. The message has all remarks.
pub fn refuse_misfits(file: &str, remarks: Vec<Remark>) -> Result<Vec<Remark>, Misfits> {
    if remarks.iter().all(|remark| remark.severity != Severity::Error) {
        return Ok(remarks);
    }
    let lines: String = remarks.iter().map(|remark| remark.line(file)).collect();
    Err(Misfits(format!("{lines}{file} does not fit this host; nothing was changed")))
}

/// Everything about this host that does not fit `config`.
pub fn check(config: &Config, host: &HostFacts) -> Vec<Remark> {
    let mut remarks = interfaces(config, host);
    match &config.local.role {
        Role::Pop(pop) => {
            remarks.extend(sources(pop, host));
            remarks.extend(vips_are_foreign(config, host));
            remarks.extend(mtu::check(config, pop, host));
            remarks.extend(returns::pop(config, host));
        }
        Role::Gateway(gateway) => {
            remarks.extend(gateway_addresses(config, gateway, host));
            remarks.extend(returns::gateway(config, host));
        }
    }
    remarks
}

fn interfaces(config: &Config, host: &HostFacts) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for (index, interface) in config.local.interfaces.iter().enumerate() {
        let (field, name) = (format!("interface[{index}].name"), &interface.name);
        match host.links.get(name) {
            None => {
                let known: Vec<_> = host.links.keys().map(String::as_str).collect();
                let help = format!("name an interface of this host: {}", known.join(", "));
                remarks.push(Remark::error(field, format!("this host has no interface `{name}`"), help));
            }
            Some(link) if !link.ethernet => {
                let help = "name the Ethernet interface that carries the packets";
                remarks.push(Remark::error(field, format!("`{name}` is not an Ethernet interface"), help));
            }
            Some(link) if !link.up => {
                let help = format!("bring it up: ip link set {name} up");
                remarks.push(Remark::warning(field, format!("`{name}` is down"), help));
            }
            Some(_) => {}
        }
    }
    remarks
}

fn sources(pop: &PopRole, host: &HostFacts) -> Vec<Remark> {
    let sources = [
        ("tunnel.source_ipv4", pop.tunnel_source_ipv4.map(IpNet::V4)),
        ("tunnel.source_ipv6", pop.tunnel_source_ipv6.map(IpNet::V6)),
        ("icmp.source_ipv4", pop.icmp.source_ipv4.map(|source| IpAddr::V4(source).into())),
        ("icmp.source_ipv6", pop.icmp.source_ipv6.map(|source| IpAddr::V6(source).into())),
    ];
    let sources = sources.into_iter().filter_map(|(field, source)| Some((field, source?)));
    sources.filter_map(|(field, source)| foreign_source(field, source, host)).collect()
}

/// One address that is not this host's cannot be a source. Of a prefix the host need not have the addresses, but then
/// nobody answers for them: errors of the backbone are lost.
fn foreign_source(field: &str, source: IpNet, host: &HostFacts) -> Option<Remark> {
    if source.prefix_len() < source.max_prefix_len() {
        let is_local = host.local_prefixes.iter().any(|local| local.contains(&source));
        let help = format!("route it to this host: ip route add local {source} dev lo");
        return (!is_local)
            .then(|| Remark::warning(field, format!("`{source}` is no local prefix of this host"), help));
    }
    let problem = format!("`{}` is not an address of this host", source.addr());
    let help = "write an address that this host has, or add it to an interface";
    (!host.addresses.contains(&source.addr())).then(|| Remark::error(field, problem, help))
}

/// A VIP that is an address of the PoP hides the route that announces it, and what is passed ends on this host.
fn vips_are_foreign(config: &Config, host: &HostFacts) -> Vec<Remark> {
    let vips = config.services.vips.iter().enumerate();
    let own = vips.filter(|(_, vip)| host.addresses.contains(&vip.address));
    own.map(|(index, vip)| {
        let problem = format!("`{}` is an address of this host", vip.address);
        Remark::error(
            format!("vip[{index}].address"),
            problem,
            "remove it from the interface: a VIP is never an address of a PoP",
        )
    })
    .collect()
}

fn gateway_addresses(config: &Config, gateway: &GatewayRole, host: &HostFacts) -> Vec<Remark> {
    let tunnel = gateway.tunnel_addresses.iter().enumerate().map(|(index, address)| {
        let help = "add it to the backbone interface, or see that routers send its packets to this host";
        (format!("gateway.tunnel_addresses[{index}]"), *address, help.to_owned())
    });
    let vips = config.services.vips.iter().enumerate().map(|(index, vip)| {
        let help = format!("to serve it here: ip address add {} dev lo", vip.address);
        (format!("vip[{index}].address"), vip.address, help)
    });
    let foreign = tunnel.chain(vips).filter(|(_, address, _)| !host.addresses.contains(address));
    foreign
        .map(|(field, address, help)| {
            Remark::warning(field, format!("`{address}` is not an address of this host"), help)
        })
        .collect()
}
