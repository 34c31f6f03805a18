//! The headers in front of an inner packet, field by field.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
};

use anycast_common::header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN, VLAN_TAGS_MAX, protocol};
use serde::Serialize;

/// IP protocol number of GRE (RFC 2784).
const GRE: u8 = 47;

/// A field of a header: the bytes that it lies in, and what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderField {
    /// Header: `ethernet`, `vlan`, `ipv4`, `ipv6`, `gre`, `udp` or `gue`.
    pub header: &'static str,
    /// First byte, from the beginning of the frame.
    pub offset: usize,
    /// The bytes, in hex.
    pub bytes: String,
    /// Name.
    pub field: &'static str,
    /// Value, for people.
    pub value: String,
}

/// Headers, and where what they carry begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Every byte of them, once.
    pub fields: Vec<HeaderField>,
    /// Where the IP header begins that follows the Ethernet header and its tags.
    pub ip_at: usize,
    /// Where the inner packet begins; none: the IP header carries no tunnel.
    pub inner_at: Option<usize>,
}

/// Takes the headers of a frame apart, as far as they go. UDP is only taken for a tunnel where `udp_is_tunnel`.
pub fn decode(frame: &[u8], udp_is_tunnel: bool) -> Headers {
    let mut reader = Reader { frame, at: 0, header: "ethernet", headers: Headers::default() };
    // A frame that ends early has the fields that are there.
    let _ = reader.layers(udp_is_tunnel);
    reader.headers
}

/// Addresses and protocol of a frame's IP header, in one line.
pub fn summary(frame: &[u8]) -> String {
    let fields = decode(frame, false).fields;
    let value = |names: &[&str]| {
        let found = fields.iter().find(|field| field.header.starts_with("ip") && names.contains(&field.field));
        found.map(|field| field.value.as_str())
    };
    match (
        value(&["source"]),
        value(&["destination"]),
        value(&["protocol", "next header"]),
        value(&["TTL", "hop limit"]),
    ) {
        (Some(source), Some(destination), Some(protocol), Some(ttl)) => {
            format!("{source} → {destination}, protocol {protocol}, TTL {ttl}")
        }
        _ => "no whole IP header".to_owned(),
    }
}

struct Reader<'a> {
    frame: &'a [u8],
    at: usize,
    header: &'static str,
    headers: Headers,
}

impl Reader<'_> {
    fn layers(&mut self, udp_is_tunnel: bool) -> Option<()> {
        let carried = match self.l2()? {
            ETHERTYPE_IPV4 => self.ipv4()?,
            ETHERTYPE_IPV6 => self.ipv6()?,
            _ => return None,
        };
        match carried {
            protocol::IPIP | protocol::IPV6 => {}
            GRE => self.gre()?,
            protocol::UDP if udp_is_tunnel => self.udp()?,
            _ => return None,
        }
        self.headers.inner_at = Some(self.at);
        Some(())
    }

    /// The next `N` bytes as a field of the current header; `value` makes words of them.
    fn field<const N: usize>(&mut self, field: &'static str, value: impl FnOnce([u8; N]) -> String) -> Option<[u8; N]> {
        let bytes: [u8; N] = self.frame.get(self.at..self.at + N)?.try_into().ok()?;
        self.headers.fields.push(HeaderField {
            header: self.header,
            offset: self.at,
            bytes: hex(&bytes),
            field,
            value: value(bytes),
        });
        self.at += N;
        Some(bytes)
    }

    fn l2(&mut self) -> Option<u16> {
        self.field("destination", mac)?;
        self.field("source", mac)?;
        let mut ethertype = u16::from_be_bytes(self.field("ethertype", ethertype_name)?);
        self.headers.ip_at = self.at;
        for _ in 0..VLAN_TAGS_MAX {
            if !matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ) {
                break;
            }
            self.header = "vlan";
            self.field("priority, id", |tci| {
                let tci = u16::from_be_bytes(tci);
                format!("{}, {}", tci >> 13, tci & 0xfff)
            })?;
            ethertype = u16::from_be_bytes(self.field("ethertype", ethertype_name)?);
            self.headers.ip_at = self.at;
        }
        Some(ethertype)
    }

    fn ipv4(&mut self) -> Option<u8> {
        self.header = "ipv4";
        let [first] =
            self.field("version, header length", |[byte]| format!("{}, {} bytes", byte >> 4, (byte & 15) * 4))?;
        self.field("DSCP, ECN", |[byte]| format!("{}, {}", byte >> 2, ecn(byte)))?;
        self.field("total length", |length| format!("{} bytes", u16::from_be_bytes(length)))?;
        self.field("identification", number)?;
        self.field("flags, fragment offset", |bytes| {
            let word = u16::from_be_bytes(bytes);
            let flags = [(0x4000, "DF"), (0x2000, "MF")].into_iter().filter(|(bit, _)| word & bit != 0);
            let flags: Vec<_> = flags.map(|(_, name)| name).collect();
            format!("{}, {}", if flags.is_empty() { "none".to_owned() } else { flags.join(" ") }, (word & 0x1fff) * 8)
        })?;
        self.field("TTL", |[byte]| byte.to_string())?;
        let [carried] = self.field("protocol", |[byte]| protocol_name(byte))?;
        self.field("header checksum", |sum| format!("0x{:04x}", u16::from_be_bytes(sum)))?;
        self.field("source", |address: [u8; 4]| Ipv4Addr::from(address).to_string())?;
        self.field("destination", |address: [u8; 4]| Ipv4Addr::from(address).to_string())?;
        for _ in 5..first & 15 {
            self.field("options", |bytes: [u8; 4]| hex(&bytes))?;
        }
        Some(carried)
    }

    fn ipv6(&mut self) -> Option<u8> {
        self.header = "ipv6";
        self.field("version, traffic class, flow label", |bytes| {
            let word = u32::from_be_bytes(bytes);
            format!("{}, 0x{:02x}, 0x{:05x}", word >> 28, word >> 20 & 0xff, word & 0xf_ffff)
        })?;
        self.field("payload length", |length| format!("{} bytes", u16::from_be_bytes(length)))?;
        let [carried] = self.field("next header", |[byte]| protocol_name(byte))?;
        self.field("hop limit", |[byte]| byte.to_string())?;
        self.field("source", |address: [u8; 16]| Ipv6Addr::from(address).to_string())?;
        self.field("destination", |address: [u8; 16]| Ipv6Addr::from(address).to_string())?;
        Some(carried)
    }

    /// RFC 2784, with the key and sequence number of RFC 2890.
    fn gre(&mut self) -> Option<()> {
        self.header = "gre";
        let flags = self.field("flags, version", |bytes| {
            let word = u16::from_be_bytes(bytes);
            let flags = [(0x8000, "checksum"), (0x2000, "key"), (0x1000, "sequence")];
            let flags: Vec<_> = flags.into_iter().filter(|(bit, _)| word & bit != 0).map(|(_, name)| name).collect();
            format!("{}, {}", if flags.is_empty() { "none".to_owned() } else { flags.join(" ") }, word & 7)
        })?;
        self.field("protocol", ethertype_name)?;
        let flags = u16::from_be_bytes(flags);
        for (bit, name) in [(0x8000, "checksum, reserved"), (0x2000, "key"), (0x1000, "sequence number")] {
            if flags & bit != 0 {
                self.field(name, |bytes| format!("0x{:08x}", u32::from_be_bytes(bytes)))?;
            }
        }
        Some(())
    }

    /// UDP, and GUE behind it: variant 1 has no header, and begins with that of IP (draft-ietf-intarea-gue section 4).
    fn udp(&mut self) -> Option<()> {
        self.header = "udp";
        self.field("source port", number)?;
        self.field("destination port", number)?;
        self.field("length", |length| format!("{} bytes", u16::from_be_bytes(length)))?;
        self.field("checksum", |sum| match u16::from_be_bytes(sum) {
            0 => "none".to_owned(),
            sum => format!("0x{sum:04x}"),
        })?;
        if self.frame.get(self.at)? >> 6 == 1 {
            return Some(());
        }
        self.header = "gue";
        let [first] = self.field("variant, control, header length", |[byte]| {
            format!("{}, {}, {} bytes", byte >> 6, byte >> 5 & 1, 4 + (byte & 31) * 4)
        })?;
        self.field("protocol", |[byte]| protocol_name(byte))?;
        self.field("flags", |flags| format!("0x{:04x}", u16::from_be_bytes(flags)))?;
        for _ in 0..first & 31 {
            self.field("extension", |bytes: [u8; 4]| hex(&bytes))?;
        }
        Some(())
    }
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

fn number(bytes: [u8; 2]) -> String {
    u16::from_be_bytes(bytes).to_string()
}

fn ecn(tos: u8) -> &'static str {
    ["Not-ECT", "ECT(1)", "ECT(0)", "CE"][usize::from(tos & 3)]
}

fn ethertype_name(bytes: [u8; 2]) -> String {
    match u16::from_be_bytes(bytes) {
        ETHERTYPE_IPV4 => "IPv4".to_owned(),
        ETHERTYPE_IPV6 => "IPv6".to_owned(),
        ETHERTYPE_VLAN => "802.1Q".to_owned(),
        ETHERTYPE_QINQ => "802.1ad".to_owned(),
        other => format!("0x{other:04x}"),
    }
}

fn protocol_name(number: u8) -> String {
    match number {
        protocol::IPIP => "4 (IPv4 inside)".to_owned(),
        protocol::IPV6 => "41 (IPv6 inside)".to_owned(),
        _ => {
            let known = anycast_common::listeners::PROTOCOL_NAMES.iter().find(|(_, known)| *known == number);
            known.map_or_else(|| number.to_string(), |(name, _)| format!("{number} ({name})"))
        }
    }
}

#[cfg(test)]
mod tests;
