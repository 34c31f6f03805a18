//! Would answers that go through the PoP get there, and from there to the client?

use std::net::IpAddr;

use super::{CLIENTS, HostFacts, Remark, facts::ClientLink, sysctl};
use crate::desired::{Config, Interface, Returns, Vip};

/// For each family that has VIPs whose answers go through PoPs: an address of a client, and the first of these VIPs with
/// its place in the file.
fn families(config: &Config) -> impl Iterator<Item = (IpAddr, usize, &Vip)> {
    CLIENTS.into_iter().filter_map(|client| {
        let mut vips = config.services.vips.iter().enumerate();
        let is_meant = |vip: &Vip| vip.returns != Returns::Direct && vip.address.is_ipv4() == client.is_ipv4();
        vips.find(|(_, vip)| is_meant(vip)).map(|(index, vip)| (client, index, vip))
    })
}

/// The program asks the kernel for the way to the client, and the kernel tells none where it does not forward.
pub(super) fn pop(config: &Config, host: &HostFacts) -> Vec<Remark> {
    let backbone = || config.local.interfaces.iter().filter(|interface| interface.backbone);
    let all = families(config).flat_map(|family| backbone().map(move |interface| (family, interface)));
    let off = all.filter_map(|((client, index, vip), Interface { name, .. })| {
        let link = host.links.get(name)?;
        let forwards = if client.is_ipv4() { link.forwards_ipv4 } else { link.forwards_ipv6 };
        let problem = format!(
            "the kernel does not forward {} packets that come in by `{name}`: answers of `{}` end here",
            if client.is_ipv4() { "IPv4" } else { "IPv6" },
            vip.name
        );
        let set = sysctl::command(&sysctl::forwarding(name, client.is_ipv4()), 1);
        let help = format!("{set}, and the same in /etc/sysctl.d");
        (forwards == Some(false)).then(|| Remark::error(format!("vip[{index}].return"), problem, help))
    });
    off.collect()
}

/// The program that sends answers to PoPs is at the egress of interfaces that the file names.
pub(super) fn gateway(config: &Config, host: &HostFacts) -> Vec<Remark> {
    let is_named = |name: &String| config.local.interfaces.iter().any(|interface| interface.name == *name);
    let all = families(config).flat_map(|(client, index, vip)| {
        host.client_links.get(&client).into_iter().flatten().map(move |link| (index, vip, link))
    });
    let unseen = all.filter(|(_, _, link)| !link.names().any(is_named));
    unseen
        .map(|(index, vip, ClientLink { name, .. })| {
            let problem = format!(
                "packets to clients leave by `{name}`, which is no `backbone` or `egress` interface: answers of `{}` would leave unseen, directly",
                vip.name
            );
            let help = format!("add an [[interface]] with name = \"{name}\" and roles = [\"egress\"]");
            Remark::warning(format!("vip[{index}].return"), problem, help)
        })
        .collect()
}
