//! The look-up in a listener set, piece by piece: what the kernel program and the reference look-up share.
//!
//! A set is read in this order (docs/datapath.md, section 5): the protocol's bit; else, for a protocol with ports, its
//! port table; and of that the page of the port's high byte, and the bit of its low byte.

use crate::{
    header::protocol,
    map::{ListenerSet, PortPage},
};

/// The place of a protocol with ports in [`ListenerSet::port_tables`]; `None`: it is taken whole or not at all.
#[inline(always)]
pub const fn port_table_slot(protocol: u8) -> Option<usize> {
    match protocol {
        protocol::TCP => Some(0),
        protocol::UDP => Some(1),
        protocol::SCTP => Some(2),
        _ => None,
    }
}

/// Is this protocol taken whole?
#[inline(always)]
pub const fn takes_whole(set: &ListenerSet, protocol: u8) -> bool {
    set.protocols[(protocol >> 6) as usize] >> (protocol & 63) & 1 == 1
}

/// The place of a port's page in [`crate::map::PortTable::pages`].
#[inline(always)]
pub const fn page_slot(port: u16) -> usize {
    (port >> 8) as usize
}

/// Does the page of a port take it?
#[inline(always)]
pub const fn page_takes(page: &PortPage, port: u16) -> bool {
    page.bits[(port >> 6 & 3) as usize] >> (port & 63) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_its_own_bit() {
        for protocol in 0..=u8::MAX {
            let mut set = ListenerSet::default();
            set.protocols[(protocol / 64) as usize] = 1 << (protocol % 64);
            for other in 0..=u8::MAX {
                assert_eq!(takes_whole(&set, other), other == protocol);
            }
        }
    }

    #[test]
    fn every_port_of_a_page_has_its_own_bit() {
        for port in 0x1200..=0x12ff_u16 {
            assert_eq!(page_slot(port), 0x12);
            let mut page = PortPage::default();
            page.bits[(port % 256 / 64) as usize] = 1 << (port % 64);
            for other in 0x1200..=0x12ff {
                assert_eq!(page_takes(&page, other), other == port);
            }
        }
    }

    #[test]
    fn only_tcp_udp_and_sctp_have_port_tables() {
        let with_ports: std::vec::Vec<_> =
            (0..=u8::MAX).filter_map(|protocol| port_table_slot(protocol).map(|slot| (protocol, slot))).collect();
        assert_eq!(with_ports, [(6, 0), (17, 1), (132, 2)]);
    }
}
