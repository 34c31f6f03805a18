//! IPv6 extension headers.

use super::Packet;

/// One extension header, without its next-header octet, which the assembly fills in.
#[derive(Clone, Debug)]
pub(super) struct Extension {
    /// Protocol number of this header.
    pub number: u8,
    /// Everything behind the first octet.
    pub body: Vec<u8>,
}

impl Extension {
    /// RFC 8200 section 4.5.
    pub fn fragment(offset_bytes: u16, more: bool, id: u16) -> Self {
        let [high, low] = (offset_bytes | u16::from(more)).to_be_bytes();
        let [id_high, id_low] = id.to_be_bytes();
        Self { number: 44, body: vec![0, high, low, 0, 0, id_high, id_low] }
    }
}

/// IPv6 extension headers, in the order in which they are added.
impl Packet {
    /// A header with a length octet: `units` × 8 bytes behind the first 8, filled with padding options.
    pub fn extension(self, number: u8, units: u8) -> Self {
        let option_bytes = 6 + usize::from(units) * 8;
        let mut body = vec![units];
        let mut left = option_bytes;
        while left > 0 {
            // PadN (RFC 8200 section 4.2): at most 255 bytes of data.
            let data = (left - 2).min(254);
            body.extend([1, data as u8]);
            body.resize(body.len() + data, 0);
            left -= data + 2;
        }
        self.raw_extension(number, &body)
    }

    /// A header with any bytes behind its first octet, true or not.
    pub fn raw_extension(mut self, number: u8, body: &[u8]) -> Self {
        self.extensions.push(Extension { number, body: body.to_vec() });
        self
    }

    /// Hop-by-hop options of 8 bytes.
    pub fn hop_by_hop(self) -> Self {
        self.extension(0, 0)
    }

    /// Destination options of 8 bytes.
    pub fn destination_options(self) -> Self {
        self.extension(60, 0)
    }

    /// A routing header with no segments left and no addresses.
    pub fn routing(self) -> Self {
        self.raw_extension(43, &[0, 4, 0, 0, 0, 0, 0])
    }
}
