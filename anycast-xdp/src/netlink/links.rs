//! What is to be known of one link by its name, and whether it is up: asked at once, without a runtime.

use std::io;

use libc::{RTM_GETLINK, RTM_NEWLINK};
use netlink_packet_core::{Emitable as _, NlasIterator, parse_u8, parse_u32};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkHeader, LinkMessage};

use super::{
    link,
    socket::{AskError, Requests},
};

const IFLA_IFNAME: u16 = 3;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
/// `XDP_ATTACHED_SKB` (`linux/if_link.h`).
const XDP_ATTACHED_SKB: u8 = 2;

/// One link as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Its index.
    pub ifindex: u32,
    /// Administratively up.
    pub is_up: bool,
    /// The XDP program that runs there.
    pub xdp: Option<XdpProgram>,
}

/// A program on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpProgram {
    /// Its id.
    pub id: u32,
    /// In the stack, not in the driver.
    pub is_generic: bool,
}

/// Asks for links.
pub struct Links(Requests);

impl Links {
    /// Opens a socket.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn open() -> io::Result<Self> {
        Requests::open().map(Self)
    }

    /// The link with this name; `None`: there is none.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn find(&mut self, name: &str) -> io::Result<Option<LinkState>> {
        let mut question = link::question(0);
        question.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let mut found = None;
        let asked = self.0.ask(RTM_GETLINK, 0, &question, |kind, payload| {
            found = found.or_else(|| state(payload, name).filter(|_| kind == RTM_NEWLINK));
        });
        match asked {
            Ok(()) => Ok(found),
            Err(AskError::Refused(_)) => Ok(None),
            Err(AskError::Socket(error)) => Err(error),
        }
    }

    /// Sets a link up or down.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the socket fails.
    pub fn set_up(&mut self, ifindex: u32, is_up: bool) -> io::Result<()> {
        let mut order: LinkMessage = link::question(ifindex);
        order.header.change_mask = LinkFlags::Up;
        if is_up {
            order.header.flags = LinkFlags::Up;
        }
        match self.0.ask(RTM_NEWLINK, 0, &order, |_, _| ()) {
            Ok(()) => Ok(()),
            Err(AskError::Refused(error) | AskError::Socket(error)) => Err(error),
        }
    }
}

/// Only what is of interest is decoded: what new kernels add to the rest does no harm.
fn state(payload: &[u8], name: &str) -> Option<LinkState> {
    let header = LinkHeader::parse(payload).ok()?;
    let attributes = || NlasIterator::new(payload.get(header.buffer_len()..).unwrap_or_default()).flatten();
    let own = attributes().find(|nla| nla.kind() == IFLA_IFNAME)?.value().to_vec();
    let xdp = attributes().find(|nla| nla.kind() == IFLA_XDP).and_then(|nla| program(nla.value()));
    (own.strip_suffix(&[0]).unwrap_or(&own) == name.as_bytes()).then_some(LinkState {
        ifindex: header.index,
        is_up: header.flags.contains(LinkFlags::Up),
        xdp,
    })
}

fn program(nested: &[u8]) -> Option<XdpProgram> {
    let (mut attached, mut id) = (0, None);
    for nla in NlasIterator::new(nested).flatten() {
        match nla.kind() {
            IFLA_XDP_ATTACHED => attached = parse_u8(nla.value()).unwrap_or_default(),
            IFLA_XDP_PROG_ID => id = parse_u32(nla.value()).ok(),
            _ => {}
        }
    }
    id.map(|id| XdpProgram { id, is_generic: attached == XDP_ATTACHED_SKB })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_and_a_link_that_is_not_there_is_not() {
        let mut links = Links::open().unwrap();
        let loopback = links.find("lo").unwrap().unwrap();
        assert_eq!((loopback.ifindex, loopback.xdp), (1, None));
        assert_eq!(links.find("no-such-link").unwrap(), None);
    }

    #[test]
    fn program_is_read_with_its_mode() {
        let nla = |kind: u16, value: &[u8]| {
            let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let of = |mode: u8| [nla(IFLA_XDP_ATTACHED, &[mode]), nla(IFLA_XDP_PROG_ID, &7_u32.to_ne_bytes())].concat();
        assert_eq!(program(&of(1)), Some(XdpProgram { id: 7, is_generic: false }));
        assert_eq!(program(&of(2)), Some(XdpProgram { id: 7, is_generic: true }));
        assert_eq!(program(&nla(IFLA_XDP_ATTACHED, &[0])), None);
    }
}
