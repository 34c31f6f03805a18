//! What is fed to a program under test.

use anycast_common::{
    bench::{
        FLOWS_CLIENTS, FLOWS_MANY, FLOWS_NEW, FLOWS_ONE, HEADERS_IPV4, HEADERS_IPV4_IN_IPV4, HEADERS_IPV6, WrapConfig,
    },
    header::protocol,
};
use anyhow::{Result, ensure};

/// A frame, and how it varies from call to call.
#[derive(Clone, Debug)]
pub struct Feed {
    /// From the Ethernet header on; at least 58 bytes, untagged, without IPv4 options.
    pub frame: Vec<u8>,
    /// How the flow varies.
    pub flows: Flows,
    /// IPv4 destinations touched at random, from the frame's own upwards.
    pub destinations: u32,
}

/// How the flow varies from call to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flows {
    /// Not at all.
    One,
    /// So many flows, a power of two, take turns in scattered order.
    Many(u32),
    /// Every packet begins a new flow.
    New,
    /// So many clients, a power of two, take turns in scattered order, inside IPv4 in IPv4.
    Clients(u32),
}

impl Feed {
    /// One flow to one destination.
    pub fn new(frame: Vec<u8>) -> Self {
        Self { frame, flows: Flows::One, destinations: 1 }
    }

    /// The same with other flows.
    pub fn flows(mut self, flows: Flows) -> Self {
        self.flows = flows;
        self
    }

    /// The same with so many IPv4 destinations.
    pub fn destinations(mut self, count: u32) -> Self {
        self.destinations = count;
        self
    }

    /// The wrapper's configuration, for a program that grows frames by `growth` bytes.
    pub fn config(&self, growth: i32, chunk: u32, live: bool) -> Result<WrapConfig> {
        let frame = &self.frame;
        ensure!(frame.len() >= 58, "a frame of {} bytes is too short for the wrapper, which writes 58", frame.len());
        let ipv6 = frame[12..14] == [0x86, 0xdd];
        ensure!(ipv6 || frame[12..14] == [0x08, 0x00], "the wrapper restores untagged IPv4 and IPv6 frames only");
        ensure!(ipv6 || frame[14] == 0x45, "the wrapper restores IPv4 headers of 20 bytes only");
        let headers = match (ipv6, frame[23]) {
            (true, _) => HEADERS_IPV6,
            (false, protocol::IPIP) => HEADERS_IPV4_IN_IPV4,
            (false, _) => HEADERS_IPV4,
        };
        let (flows, flow_mask) = match self.flows {
            Flows::One => (FLOWS_ONE, 0),
            Flows::Many(count) => {
                ensure!(count.is_power_of_two(), "{count} flows: not a power of two");
                (FLOWS_MANY, count - 1)
            }
            Flows::New => (FLOWS_NEW, 0),
            Flows::Clients(count) => {
                ensure!(count.is_power_of_two() && count <= 1 << 20, "{count} clients: not a power of two up to 2^20");
                ensure!(headers == HEADERS_IPV4_IN_IPV4, "clients vary within IPv4 in IPv4 only");
                (FLOWS_CLIENTS, count - 1)
            }
        };
        let port_at = if ipv6 { 56 } else { 36 };
        Ok(WrapConfig {
            ethernet_low: u64::from_ne_bytes(bytes_at(frame, 0)),
            ethernet_high: u32::from_ne_bytes(bytes_at(frame, 8)),
            ethertype: u16::from_ne_bytes(bytes_at(frame, 12)),
            destination_port: u16::from_ne_bytes(bytes_at(frame, port_at)),
            ip: std::array::from_fn(|word| u32::from_ne_bytes(bytes_at(frame, 14 + 4 * word))),
            frame_bytes: i32::try_from(frame.len())?,
            growth,
            live: live.into(),
            headers,
            flows,
            flow_mask,
            destinations: self.destinations,
            chunk,
        })
    }
}

/// `N` bytes of a frame that is long enough.
fn bytes_at<const N: usize>(frame: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|index| frame[at + index])
}
