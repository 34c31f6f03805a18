//! Making and changing the pair, by netlink.

use anyhow::{Context as _, Result};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoVeth, LinkAttribute, LinkMessage,
};
use rtnetlink::{LinkUnspec, LinkVeth};

use super::{Axp, MACS, found::Side, interfaces};

/// Makes the pair, down.
pub(super) fn create(axp: &Axp, queues: u32) -> Result<()> {
    let [host_side, far_side] = [&axp.host_side, &axp.far_side].map(Clone::clone);
    let attributes = |mac: [u8; 6]| {
        [LinkAttribute::Address(mac.to_vec()), LinkAttribute::NumTxQueues(queues), LinkAttribute::NumRxQueues(queues)]
    };
    let mut peer = LinkUnspec::new_with_name(&far_side).build();
    peer.attributes.extend(attributes(MACS[1]));
    let mut message = LinkVeth::new(&host_side, &far_side).set_info_data(InfoData::Veth(InfoVeth::Peer(peer))).build();
    message.attributes.extend(attributes(MACS[0]));
    interfaces::ask(move |handle| async move { Ok(handle.link().add(message).execute().await?) })
        .context("the kernel refuses a veth pair")
}

/// Brings one side to what it is to be, and up as the last.
pub(super) fn set(side: &Side, alias: String, mac: [u8; 6]) -> Result<()> {
    let (ifindex, has_ipv6) = (side.ifindex, side.generates_addresses.is_some());
    let change = move |handle: rtnetlink::Handle| async move {
        handle.link().set(with_addresses(ifindex, alias, mac, has_ipv6)).execute().await?;
        handle.link().set(LinkUnspec::new_with_index(ifindex).up().build()).execute().await?;
        Ok(())
    };
    interfaces::ask(change).with_context(|| format!("cannot set up {}", side.name))
}

/// No ARP, no multicast, and no IPv6 address of its own (`IN6_ADDR_GEN_MODE_NONE`).
fn with_addresses(ifindex: u32, alias: String, mac: [u8; 6], has_ipv6: bool) -> LinkMessage {
    let mut message = LinkUnspec::new_with_index(ifindex).arp(false).multicast(false).address(mac.to_vec()).build();
    message.attributes.push(LinkAttribute::IfAlias(alias));
    if has_ipv6 {
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]));
    }
    message
}

/// Deletes links; with one side of a pair goes the other.
pub(super) fn delete(ifindexes: Vec<u32>) -> Result<()> {
    let delete = move |handle: rtnetlink::Handle| async move {
        for ifindex in ifindexes {
            match handle.link().del(ifindex).execute().await {
                Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::ENODEV => {}
                deleted => deleted?,
            }
        }
        Ok(())
    };
    interfaces::ask(delete).context("cannot remove an interface of an earlier start")
}
