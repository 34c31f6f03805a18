//! What is behind the IP header.

use std::net::IpAddr;

use etherparse::{TcpHeader, UdpHeader, checksum::Sum16BitWords};

use super::{Packet, ip::IpFields};

/// TCP flag bits.
pub mod tcp_flags {
    /// No more data.
    pub const FIN: u8 = 0x01;
    /// Opens a connection.
    pub const SYN: u8 = 0x02;
    /// Ends it at once.
    pub const RST: u8 = 0x04;
    /// Acknowledgement number is valid.
    pub const ACK: u8 = 0x10;
}

/// ICMP errors, by what they say in both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// Port unreachable.
    Unreachable,
    /// Fragmentation needed, packet too big: the MTU in bytes.
    TooBig(u16),
    /// TTL or hop limit exceeded in transit.
    TimeExceeded,
    /// Erroneous header field.
    ParameterProblem,
}

impl IcmpError {
    /// Type, code and the four bytes behind the checksum.
    fn fields(self, v4: bool) -> (u8, u8, [u8; 4]) {
        let mtu = |mtu_bytes: u16| u32::from(mtu_bytes).to_be_bytes();
        match (self, v4) {
            (Self::Unreachable, true) => (3, 3, [0; 4]),
            (Self::Unreachable, false) => (1, 4, [0; 4]),
            (Self::TooBig(mtu_bytes), true) => (3, 4, mtu(mtu_bytes)),
            (Self::TooBig(mtu_bytes), false) => (2, 0, mtu(mtu_bytes)),
            (Self::TimeExceeded, true) => (11, 0, [0; 4]),
            (Self::TimeExceeded, false) => (3, 0, [0; 4]),
            (Self::ParameterProblem, true) => (12, 0, [8, 0, 0, 0]),
            (Self::ParameterProblem, false) => (4, 0, [0, 0, 0, 6]),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Layer4 {
    Raw { protocol: u8 },
    Tcp { ports: (u16, u16), flags: u8, options: Vec<u8> },
    Udp { ports: (u16, u16), checksum: bool },
    Icmp { kind: u8, code: u8, rest: [u8; 4] },
    Sctp { ports: (u16, u16) },
    Esp { spi: u32 },
    Gre { ether_type: u16 },
}

impl Layer4 {
    pub fn protocol(&self, ip: &IpFields) -> u8 {
        match self {
            Self::Raw { protocol } => *protocol,
            Self::Tcp { .. } => 6,
            Self::Udp { .. } => 17,
            Self::Icmp { .. } if ip.is_v4() => 1,
            Self::Icmp { .. } => 58,
            Self::Sctp { .. } => 132,
            Self::Esp { .. } => 50,
            Self::Gre { .. } => 47,
        }
    }

    /// The header with right checksums, and the payload.
    pub fn bytes(&self, ip: &IpFields, payload: &[u8]) -> Vec<u8> {
        let mut bytes = match *self {
            Self::Raw { .. } => Vec::new(),
            Self::Tcp { ports, flags, ref options } => tcp(ip, ports, flags, options, payload),
            Self::Udp { ports, checksum } => udp(ip, ports, checksum, payload),
            Self::Icmp { kind, code, rest } => icmp(ip, kind, code, rest, payload),
            // The CRC32c stays zero: nothing on the path looks at it.
            Self::Sctp { ports: (source, destination) } => {
                [source.to_be_bytes(), destination.to_be_bytes(), [0, 1], [0, 1], [0, 0], [0, 0]].concat()
            }
            Self::Esp { spi } => [spi.to_be_bytes(), 1u32.to_be_bytes()].concat(),
            Self::Gre { ether_type } => [[0, 0], ether_type.to_be_bytes()].concat(),
        };
        bytes.extend_from_slice(payload);
        bytes
    }
}

fn tcp(ip: &IpFields, (source, destination): (u16, u16), flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut header = TcpHeader::new(source, destination, 0x0102_0304, 64_240);
    header.fin = flags & tcp_flags::FIN != 0;
    header.syn = flags & tcp_flags::SYN != 0;
    header.rst = flags & tcp_flags::RST != 0;
    header.ack = flags & tcp_flags::ACK != 0;
    header.set_options_raw(options).expect("at most 40 bytes of options");
    let checksum = match (ip.source, ip.destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => header.calc_checksum_ipv4_raw(s.octets(), d.octets(), payload),
        (IpAddr::V6(s), IpAddr::V6(d)) => header.calc_checksum_ipv6_raw(s.octets(), d.octets(), payload),
        _ => unreachable!("one family"),
    };
    header.checksum = checksum.expect("a TCP segment that fits into IP");
    header.to_bytes().to_vec()
}

fn udp(ip: &IpFields, (source, destination): (u16, u16), checksum: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("UDP length");
    let mut header = UdpHeader { source_port: source, destination_port: destination, length, checksum: 0 };
    if checksum {
        let checksum = match (ip.source, ip.destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) => header.calc_checksum_ipv4_raw(s.octets(), d.octets(), payload),
            (IpAddr::V6(s), IpAddr::V6(d)) => header.calc_checksum_ipv6_raw(s.octets(), d.octets(), payload),
            _ => unreachable!("one family"),
        };
        header.checksum = checksum.expect("a UDP datagram that fits into IP");
    }
    header.to_bytes().to_vec()
}

fn icmp(ip: &IpFields, kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut header = vec![kind, code, 0, 0];
    header.extend(rest);
    let mut sum = Sum16BitWords::new();
    if let (IpAddr::V6(s), IpAddr::V6(d)) = (ip.source, ip.destination) {
        // ICMPv6 sums the pseudo header (RFC 4443 section 2.3).
        let length = (header.len() + payload.len()) as u32;
        sum = sum.add_16bytes(s.octets()).add_16bytes(d.octets());
        sum = sum.add_4bytes(length.to_be_bytes()).add_4bytes([0, 0, 0, 58]);
    }
    let checksum = sum.add_slice(&header).add_slice(payload).ones_complement();
    header[2..4].copy_from_slice(&checksum.to_ne_bytes());
    header
}

/// Transport headers; the last one set counts.
impl Packet {
    /// A TCP segment with ACK set.
    pub fn tcp(self, source_port: u16, destination_port: u16) -> Self {
        self.tcp_with(source_port, destination_port, tcp_flags::ACK)
    }

    /// A TCP SYN.
    pub fn tcp_syn(self, source_port: u16, destination_port: u16) -> Self {
        self.tcp_with(source_port, destination_port, tcp_flags::SYN)
    }

    /// A TCP segment with any [`tcp_flags`].
    pub fn tcp_with(self, source_port: u16, destination_port: u16, flags: u8) -> Self {
        self.layer4(Layer4::Tcp { ports: (source_port, destination_port), flags, options: Vec::new() })
    }

    /// Options of the TCP header that was set before, padded with end-of-options to a multiple of 4. At most 40 bytes.
    pub fn tcp_options(mut self, bytes: &[u8]) -> Self {
        let Layer4::Tcp { options, .. } = &mut self.layer4 else { panic!("{:?} has no options of TCP", self.layer4) };
        *options = bytes.to_vec();
        options.resize(bytes.len().next_multiple_of(4), 0);
        self
    }

    /// A UDP datagram.
    pub fn udp(self, source_port: u16, destination_port: u16) -> Self {
        self.layer4(Layer4::Udp { ports: (source_port, destination_port), checksum: true })
    }

    /// A UDP datagram with checksum 0.
    pub fn udp_without_checksum(self, source_port: u16, destination_port: u16) -> Self {
        self.layer4(Layer4::Udp { ports: (source_port, destination_port), checksum: false })
    }

    /// An echo request of the packet's family.
    pub fn icmp_echo(self, id: u16, sequence: u16) -> Self {
        let kind = if self.ip.is_v4() { 8 } else { 128 };
        self.icmp_with_echo_fields(kind, id, sequence)
    }

    /// An echo reply of the packet's family.
    pub fn icmp_echo_reply(self, id: u16, sequence: u16) -> Self {
        let kind = if self.ip.is_v4() { 0 } else { 129 };
        self.icmp_with_echo_fields(kind, id, sequence)
    }

    fn icmp_with_echo_fields(self, kind: u8, id: u16, sequence: u16) -> Self {
        let ([a, b], [c, d]) = (id.to_be_bytes(), sequence.to_be_bytes());
        self.icmp(kind, 0, [a, b, c, d])
    }

    /// Any ICMP or ICMPv6 message: `rest` are the four bytes behind the checksum, the payload follows.
    pub fn icmp(self, kind: u8, code: u8, rest: [u8; 4]) -> Self {
        self.layer4(Layer4::Icmp { kind, code, rest })
    }

    /// An ICMP error of the packet's family that quotes `quoted`, which begins with an IP header.
    pub fn icmp_error(self, error: IcmpError, quoted: impl AsRef<[u8]>) -> Self {
        let (kind, code, rest) = error.fields(self.ip.is_v4());
        self.icmp(kind, code, rest).payload(quoted)
    }

    /// An SCTP common header.
    pub fn sctp(self, source_port: u16, destination_port: u16) -> Self {
        self.layer4(Layer4::Sctp { ports: (source_port, destination_port) })
    }

    /// An ESP header.
    pub fn esp(self, spi: u32) -> Self {
        self.layer4(Layer4::Esp { spi })
    }

    /// A GRE header without options in front of a payload of `ether_type`.
    pub fn gre(self, ether_type: u16) -> Self {
        self.layer4(Layer4::Gre { ether_type })
    }

    /// No transport header: the payload follows the IP header, under this protocol number.
    pub fn protocol(self, protocol: u8) -> Self {
        self.layer4(Layer4::Raw { protocol })
    }

    fn layer4(mut self, layer4: Layer4) -> Self {
        self.layer4 = layer4;
        self
    }
}
