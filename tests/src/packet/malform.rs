//! Packets that are wrong on purpose. The IPv4 header checksum is computed over the wrong values, so that each method
//! breaks one thing only.

use super::Packet;

/// What is wrong with the packet.
impl Packet {
    /// Version nibble.
    pub fn version(mut self, version: u8) -> Self {
        self.ip.version = Some(version);
        self
    }

    /// IPv4 header length, in units of 4 bytes; the header itself keeps its size.
    pub fn ihl(mut self, ihl: u8) -> Self {
        self.ip.ihl = Some(ihl);
        self
    }

    /// IPv4 total length.
    pub fn total_length(mut self, bytes: u16) -> Self {
        assert!(self.ip.is_v4(), "total length is an IPv4 field");
        self.ip.length = Some(bytes);
        self
    }

    /// IPv6 payload length.
    pub fn payload_length(mut self, bytes: u16) -> Self {
        assert!(!self.ip.is_v4(), "payload length is an IPv6 field");
        self.ip.length = Some(bytes);
        self
    }

    /// Protocol or first next-header octet, whatever really follows.
    pub fn protocol_octet(mut self, protocol: u8) -> Self {
        self.ip.protocol = Some(protocol);
        self
    }

    /// Breaks the IPv4 header checksum.
    pub fn corrupt_ip_checksum(mut self) -> Self {
        assert!(self.ip.is_v4(), "IPv6 has no header checksum");
        self.ip.corrupt_checksum = true;
        self
    }

    /// EtherType behind the tags, whatever really follows.
    pub fn ether_type(mut self, ether_type: u16) -> Self {
        self.ether_type = Some(ether_type);
        self
    }

    /// Cuts the IP packet so that `bytes` of it are in the frame.
    pub fn truncate_ip(self, bytes: usize) -> Self {
        let l2_bytes = self.l2_bytes();
        self.truncate(l2_bytes + bytes)
    }

    /// Cuts the frame to `bytes`.
    pub fn truncate(self, bytes: usize) -> Self {
        self.raw(move |frame| frame.truncate(bytes))
    }

    /// Pads the frame, as Ethernet does, with bytes that are not zero.
    pub fn pad_to(self, bytes: usize) -> Self {
        self.raw(move |frame| {
            if frame.len() < bytes {
                frame.resize(bytes, 0xaa);
            }
        })
    }

    /// Any change to the finished frame; edits apply in the order in which they are added.
    pub fn raw(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Any change to the bytes from the IP header on; the length stays.
    pub fn raw_ip(self, edit: impl FnOnce(&mut [u8]) + 'static) -> Self {
        let l2_bytes = self.l2_bytes();
        self.raw(move |frame| edit(&mut frame[l2_bytes..]))
    }
}
