//! The fixed IP headers and IPv4 options.

use std::net::IpAddr;

use etherparse::{
    IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, checksum::Sum16BitWords,
};

/// Fields of either family; those of the other family are not used.
#[derive(Clone, Debug)]
pub(super) struct IpFields {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub dscp_ecn: u8,
    pub id: u16,
    pub df: bool,
    pub more_fragments: bool,
    pub fragment_offset_bytes: u16,
    pub flow_label: u32,
    pub options: Vec<u8>,
    /// Lies of the header: the values it shows instead of the true ones.
    pub version: Option<u8>,
    pub ihl: Option<u8>,
    pub length: Option<u16>,
    pub protocol: Option<u8>,
    pub corrupt_checksum: bool,
}

impl IpFields {
    pub fn new(source: IpAddr, destination: IpAddr) -> Self {
        assert_eq!(source.is_ipv4(), destination.is_ipv4(), "{source} and {destination} are of two families");
        Self {
            source,
            destination,
            ttl: 64,
            dscp_ecn: 0,
            id: 0,
            df: false,
            more_fragments: false,
            fragment_offset_bytes: 0,
            flow_label: 0,
            options: Vec::new(),
            version: None,
            ihl: None,
            length: None,
            protocol: None,
            corrupt_checksum: false,
        }
    }

    pub fn is_v4(&self) -> bool {
        self.source.is_ipv4()
    }

    /// The header in front of `payload_bytes` bytes of `protocol`.
    pub fn header(&self, protocol: u8, payload_bytes: usize) -> Vec<u8> {
        let protocol = self.protocol.unwrap_or(protocol);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.v4_header(source.octets(), destination.octets(), protocol, payload_bytes)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.v6_header(source.octets(), destination.octets(), protocol, payload_bytes)
            }
            _ => unreachable!("checked by new"),
        }
    }

    fn v4_header(&self, source: [u8; 4], destination: [u8; 4], protocol: u8, payload_bytes: usize) -> Vec<u8> {
        let total_bytes = 20 + self.options.len() + payload_bytes;
        let header = Ipv4Header {
            dscp: IpDscp::try_new(self.dscp_ecn >> 2).expect("6 bits"),
            ecn: IpEcn::try_new(self.dscp_ecn & 3).expect("2 bits"),
            total_len: self.length.unwrap_or_else(|| u16::try_from(total_bytes).expect("IPv4 length")),
            identification: self.id,
            dont_fragment: self.df,
            more_fragments: self.more_fragments,
            fragment_offset: IpFragOffset::try_new(self.fragment_offset_bytes / 8).expect("13 bits"),
            time_to_live: self.ttl,
            protocol: IpNumber(protocol),
            header_checksum: 0,
            source,
            destination,
            options: self.options.as_slice().try_into().expect("IPv4 options: at most 40 bytes, a multiple of 4"),
        };
        let mut bytes = header.to_bytes().to_vec();
        if let Some(version) = self.version {
            bytes[0] = (version << 4) | (bytes[0] & 0x0f);
        }
        if let Some(ihl) = self.ihl {
            bytes[0] = (bytes[0] & 0xf0) | ihl;
        }
        // After the lies, so that a lie is the only thing wrong with the packet.
        let checksum = Sum16BitWords::new().add_slice(&bytes).ones_complement().to_ne_bytes();
        bytes[10..12].copy_from_slice(&checksum);
        if self.corrupt_checksum {
            bytes[10] ^= 0x55;
        }
        bytes
    }

    fn v6_header(&self, source: [u8; 16], destination: [u8; 16], next: u8, payload_bytes: usize) -> Vec<u8> {
        let header = Ipv6Header {
            traffic_class: self.dscp_ecn,
            flow_label: Ipv6FlowLabel::try_new(self.flow_label).expect("20 bits of flow label"),
            payload_length: self.length.unwrap_or_else(|| u16::try_from(payload_bytes).expect("IPv6 length")),
            next_header: IpNumber(next),
            hop_limit: self.ttl,
            source,
            destination,
        };
        let mut bytes = header.to_bytes().to_vec();
        if let Some(version) = self.version {
            bytes[0] = (version << 4) | (bytes[0] & 0x0f);
        }
        bytes
    }
}
