//! The veth interfaces of this host, as the kernel tells of them.

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use super::{ALIAS_PREFIX, Axp, interfaces};

/// All links.
pub(super) struct Found(Vec<Side>);

/// One of them.
pub(super) struct Side {
    pub name: String,
    pub ifindex: u32,
    pub alias: Option<String>,
    is_veth: bool,
    /// Index of the other side, where it is in this namespace.
    peer: Option<u32>,
    mac: Option<Vec<u8>>,
    is_up: bool,
    has_arp: bool,
    /// None: the kernel has no IPv6.
    pub generates_addresses: Option<bool>,
}

impl Found {
    /// Asks the kernel.
    pub fn read() -> Result<Self> {
        let ask = |handle: rtnetlink::Handle| async move { Ok(handle.link().get().execute().try_collect().await?) };
        let messages: Vec<LinkMessage> = interfaces::ask(ask).context("cannot ask for the interfaces")?;
        Ok(Self(messages.iter().map(Side::of).collect()))
    }

    pub fn named(&self, name: &str) -> Option<&Side> {
        self.0.iter().find(|side| side.name == name)
    }

    /// Those with this alias.
    pub fn own<'a>(&'a self, alias: &'a str) -> impl Iterator<Item = &'a Side> {
        self.0.iter().filter(move |side| side.is_veth && side.alias.as_deref() == Some(alias))
    }

    /// Those of any instance.
    pub fn pairs(&self) -> impl Iterator<Item = &Side> {
        let is_own = |side: &&Side| side.alias.as_ref().is_some_and(|alias| alias.starts_with(ALIAS_PREFIX));
        self.0.iter().filter(|side| side.is_veth).filter(is_own)
    }

    /// Are both sides there, and each the other's?
    pub fn is_pair(&self, axp: &Axp) -> bool {
        let Some((one, other)) = self.named(&axp.host_side).zip(self.named(&axp.far_side)) else { return false };
        one.is_veth && other.is_veth && one.peer == Some(other.ifindex) && other.peer == Some(one.ifindex)
    }
}

impl Side {
    fn of(message: &LinkMessage) -> Self {
        let mut side = Self {
            name: String::new(),
            ifindex: message.header.index,
            alias: None,
            is_veth: false,
            peer: None,
            mac: None,
            is_up: message.header.flags.contains(LinkFlags::Up),
            has_arp: !message.header.flags.contains(LinkFlags::Noarp),
            generates_addresses: None,
        };
        for attribute in &message.attributes {
            if let LinkAttribute::IfName(name) = attribute {
                side.name.clone_from(name);
            } else if let LinkAttribute::IfAlias(alias) = attribute {
                side.alias = Some(alias.clone());
            } else if let LinkAttribute::Link(peer) = attribute {
                side.peer = Some(*peer);
            } else if let LinkAttribute::Address(mac) = attribute {
                side.mac = Some(mac.clone());
            } else if let LinkAttribute::LinkInfo(infos) = attribute {
                side.is_veth = infos.contains(&LinkInfo::Kind(InfoKind::Veth));
            } else if let LinkAttribute::AfSpecUnspec(families) = attribute {
                side.generates_addresses = families.iter().find_map(generates_addresses);
            }
        }
        side
    }

    /// Is all of it as it is to be?
    pub fn is_ready(&self, alias: &str, mac: [u8; 6]) -> bool {
        self.is_up
            && !self.has_arp
            && self.alias.as_deref() == Some(alias)
            && self.mac.as_deref() == Some(&mac)
            && self.generates_addresses != Some(true)
    }
}

fn generates_addresses(family: &AfSpecUnspec) -> Option<bool> {
    let AfSpecUnspec::Inet6(attributes) = family else { return None };
    attributes.iter().find_map(|attribute| {
        if let AfSpecInet6::AddrGenMode(mode) = attribute { Some(*mode != In6AddrGenMode::None) } else { None }
    })
}
