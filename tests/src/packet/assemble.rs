//! From fields to bytes.

use etherparse::{EtherType, Ethernet2Header, SingleVlanHeader, VlanId, VlanPcp};

use super::Packet;

impl Packet {
    /// The frame, from the Ethernet header on.
    pub fn build(mut self) -> Vec<u8> {
        let edits = std::mem::take(&mut self.edits);
        let mut frame = self.l2_header();
        frame.extend(self.ip_bytes());
        for edit in edits {
            edit(&mut frame);
        }
        frame
    }

    /// The IP packet alone: what [`Packet::build`] gives without Ethernet header and tags.
    pub fn build_ip(self) -> Vec<u8> {
        let l2_bytes = self.l2_bytes();
        let mut frame = self.build();
        frame.split_off(l2_bytes.min(frame.len()))
    }

    /// Bytes in front of the IP header. Tags must be added before an edit that counts from the IP header.
    pub(super) fn l2_bytes(&self) -> usize {
        14 + 4 * self.tags.len()
    }

    fn l2_header(&self) -> Vec<u8> {
        let last = self.ether_type.unwrap_or(if self.ip.is_v4() { 0x0800 } else { 0x86dd });
        let mut types: Vec<u16> = self.tags.iter().map(|&(tpid, _)| tpid).collect();
        types.push(last);
        let ethernet = Ethernet2Header {
            destination: self.destination_mac,
            source: self.source_mac,
            ether_type: EtherType(types[0]),
        };
        let mut bytes = ethernet.to_bytes().to_vec();
        for (&(_, tci), &next) in self.tags.iter().zip(&types[1..]) {
            let tag = SingleVlanHeader {
                pcp: VlanPcp::try_new((tci >> 13) as u8).expect("3 bits"),
                drop_eligible_indicator: tci & 0x1000 != 0,
                vlan_id: VlanId::try_new(tci & 0x0fff).expect("12 bits"),
                ether_type: EtherType(next),
            };
            bytes.extend(tag.to_bytes());
        }
        bytes
    }

    fn ip_bytes(&self) -> Vec<u8> {
        let mut next = self.layer4.protocol(&self.ip);
        let mut behind = self.layer4.bytes(&self.ip, &self.payload);
        // From the last extension header to the first: each needs to know what follows it.
        for extension in self.extensions.iter().rev() {
            let mut bytes = vec![next];
            bytes.extend(&extension.body);
            bytes.append(&mut behind);
            behind = bytes;
            next = extension.number;
        }
        assert!(self.extensions.is_empty() || !self.ip.is_v4(), "extension headers are IPv6");
        let mut packet = self.ip.header(next, behind.len());
        packet.append(&mut behind);
        packet
    }
}
