//! An independent reading of an outer header.

use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use etherparse::{EtherType, Ethernet2Header, Ipv4Header, Ipv6Header, SingleVlanHeader, UdpHeader};

/// What follows an outer IP header, in front of the inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// Nothing.
    Ipip,
    /// GRE.
    Gre {
        /// Its key, if it has one.
        key: Option<u32>,
    },
    /// UDP.
    Gue {
        /// Source port.
        source_port: u16,
        /// Destination port.
        port: u16,
    },
}

/// What a tunnel frame says, after it was found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Destination MAC.
    pub destination_mac: [u8; 6],
    /// Source MAC.
    pub source_mac: [u8; 6],
    /// VLAN ids, outermost first.
    pub vlan_ids: Vec<u16>,
    /// Tunnel source.
    pub source: IpAddr,
    /// Tunnel destination.
    pub destination: IpAddr,
    /// DSCP and ECN, the whole octet.
    pub dscp_ecn: u8,
    /// What follows the outer IP header.
    pub tunnel: Tunnel,
    /// IPv6 flow label; 0 in IPv4.
    pub flow_label: u32,
    /// The inner packet, as long as the outer header says.
    pub inner: Vec<u8>,
    /// Bytes behind the outer packet.
    pub padding_bytes: usize,
}

/// Reads a frame that carries a packet to a backend as a PoP sends it, and checks everything that holds for all of them: header
/// checksum, lengths within the frame, no options, no fragment, DF, ID 0, TTL 64, a UDP checksum of 0, protocol agreeing
/// with the inner version.
pub fn decode_outer(frame: &[u8]) -> Result<Outer> {
    let (ethernet, mut rest) = Ethernet2Header::from_slice(frame).context("Ethernet header")?;
    let mut ether_type = ethernet.ether_type;
    let mut vlan_ids = Vec::new();
    while matches!(ether_type, EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING) {
        let (tag, behind) = SingleVlanHeader::from_slice(rest).context("VLAN tag")?;
        vlan_ids.push(tag.vlan_id.value());
        ether_type = tag.ether_type;
        rest = behind;
    }
    let ip = match ether_type {
        EtherType::IPV4 => v4(rest)?,
        EtherType::IPV6 => v6(rest)?,
        other => bail!("EtherType {other:?} is not IP"),
    };
    ensure!(ip.ttl == 64, "outer TTL is {}, not 64", ip.ttl);
    let inner_end = ip.inner_at.checked_add(ip.inner_bytes).filter(|&end| end <= rest.len());
    let inner_end =
        inner_end.with_context(|| format!("outer length {} is beyond the frame", ip.inner_at + ip.inner_bytes))?;
    let (tunnel, inner) = tunnel(ip.protocol, &rest[ip.inner_at..inner_end])?;
    Ok(Outer {
        destination_mac: ethernet.destination,
        source_mac: ethernet.source,
        vlan_ids,
        source: ip.source,
        destination: ip.destination,
        dscp_ecn: ip.dscp_ecn,
        tunnel,
        flow_label: ip.flow_label,
        padding_bytes: rest.len() - inner_end,
        inner: inner.to_vec(),
    })
}

/// The header behind the outer IP header, which must agree with the inner packet's version, and the inner packet.
fn tunnel(protocol: u8, payload: &[u8]) -> Result<(Tunnel, &[u8])> {
    let (tunnel, inner, versions): (_, _, &[u8]) = match protocol {
        4 => (Tunnel::Ipip, payload, &[4]),
        41 => (Tunnel::Ipip, payload, &[6]),
        47 => gre(payload)?,
        17 => {
            let (udp, inner) = UdpHeader::from_slice(payload).context("outer UDP header")?;
            ensure!(usize::from(udp.length) == payload.len(), "UDP length is {}, not {}", udp.length, payload.len());
            ensure!(udp.checksum == 0, "UDP checksum is {:#06x}, not 0", udp.checksum);
            (Tunnel::Gue { source_port: udp.source_port, port: udp.destination_port }, inner, &[4, 6])
        }
        other => bail!("protocol {other} is no tunnel's"),
    };
    let version = inner.first().context("nothing inside")? >> 4;
    ensure!(versions.contains(&version), "{tunnel:?} with an inner packet of version {version}");
    Ok((tunnel, inner))
}

/// RFC 2784 and RFC 2890: no field but a key.
fn gre(payload: &[u8]) -> Result<(Tunnel, &[u8], &[u8])> {
    let (header, behind) = payload.split_first_chunk::<4>().context("GRE header")?;
    let versions: &[u8] = match header[2..] {
        [0x08, 0x00] => &[4],
        [0x86, 0xdd] => &[6],
        _ => bail!("GRE protocol type {:02x?}", &header[2..]),
    };
    match header[..2] {
        [0, 0] => Ok((Tunnel::Gre { key: None }, behind, versions)),
        [0x20, 0] => {
            let (key, inner) = behind.split_first_chunk().context("GRE key")?;
            Ok((Tunnel::Gre { key: Some(u32::from_be_bytes(*key)) }, inner, versions))
        }
        _ => bail!("GRE flags {:02x?}", &header[..2]),
    }
}

/// What both families have in their outer headers.
struct OuterIp {
    source: IpAddr,
    destination: IpAddr,
    dscp_ecn: u8,
    ttl: u8,
    protocol: u8,
    flow_label: u32,
    /// Where the inner packet begins, from the outer header on.
    inner_at: usize,
    inner_bytes: usize,
}

fn v4(packet: &[u8]) -> Result<OuterIp> {
    let (header, _) = Ipv4Header::from_slice(packet).context("outer IPv4 header")?;
    ensure!(header.options.is_empty(), "the outer header has options");
    let right = header.calc_header_checksum();
    ensure!(header.header_checksum == right, "outer checksum is {:#06x}, not {right:#06x}", header.header_checksum);
    ensure!(header.dont_fragment, "outer DF is not set");
    ensure!(!header.is_fragmenting_payload(), "the outer packet is a fragment");
    ensure!(header.identification == 0, "outer ID is {}, not 0", header.identification);
    Ok(OuterIp {
        source: IpAddr::from(header.source),
        destination: IpAddr::from(header.destination),
        dscp_ecn: (header.dscp.value() << 2) | header.ecn.value(),
        ttl: header.time_to_live,
        protocol: header.protocol.0,
        flow_label: 0,
        inner_at: header.header_len(),
        inner_bytes: usize::from(header.payload_len().context("outer total length")?),
    })
}

fn v6(packet: &[u8]) -> Result<OuterIp> {
    let (header, _) = Ipv6Header::from_slice(packet).context("outer IPv6 header")?;
    Ok(OuterIp {
        source: IpAddr::from(header.source),
        destination: IpAddr::from(header.destination),
        dscp_ecn: header.traffic_class,
        ttl: header.hop_limit,
        protocol: header.next_header.0,
        flow_label: header.flow_label.value(),
        inner_at: header.header_len(),
        inner_bytes: usize::from(header.payload_length),
    })
}
