//! Messages as routers write them, and as nobody should, by a writer that shares no code with the reader.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    netlink::{Hop, Link, Route, View},
    path_mtu::{Doubt, Facts, Message, Told, Tunnels, believe},
};

pub const BACKBONE: u32 = 7;
pub const POP_V4: &str = "10.3.0.2";
pub const POP_V6: &str = "fd00:3::2";
pub const HOME_V4: &str = "10.4.0.2";
pub const HOME_V6: &str = "fd00:4::2";
pub const ROUTE_MTU_BYTES: u16 = 1600;

/// A message, by what may be wrong with it.
#[derive(Clone, Debug)]
pub struct Forged {
    pub ifindex: u32,
    pub router: IpAddr,
    /// Whom it is sent to.
    pub receiver: IpAddr,
    pub kind: u8,
    pub code: u8,
    pub is_intact: bool,
    pub mtu_bytes: u32,
    /// Source, destination, protocol and length of the quoted packet.
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub quoted_bytes: u16,
    pub quoted_payload: Vec<u8>,
    /// An octet of the quoted header that is written over.
    pub quote_edit: Option<(usize, u8)>,
}

impl Forged {
    pub fn ipv4(mtu_bytes: u32) -> Self {
        Self::between(POP_V4, HOME_V4, "10.3.0.1", mtu_bytes)
    }

    pub fn ipv6(mtu_bytes: u32) -> Self {
        Self::between(POP_V6, HOME_V6, "fd00:3::1", mtu_bytes)
    }

    fn between(pop: &str, home: &str, router: &str, mtu_bytes: u32) -> Self {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let is_v4 = address(pop).is_ipv4();
        Self {
            ifindex: BACKBONE,
            router: address(router),
            receiver: address(pop),
            kind: if is_v4 { 3 } else { 2 },
            code: if is_v4 { 4 } else { 0 },
            is_intact: true,
            mtu_bytes,
            source: address(pop),
            destination: address(home),
            protocol: 4,
            quoted_bytes: 1520,
            quoted_payload: vec![0x45, 0, 0, 0, 0, 0, 0, 0],
            quote_edit: None,
        }
    }

    fn quote(&self) -> Vec<u8> {
        let mut quote = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let [high, low] = self.quoted_bytes.to_be_bytes();
                let head = [0x45, 0, high, low, 0, 0, 0x40, 0, 63, self.protocol, 0, 0];
                [&head[..], &source.octets(), &destination.octets()].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let [high, low] = (self.quoted_bytes - 40).to_be_bytes();
                let head = [0x60, 1, 2, 3, high, low, self.protocol, 63];
                [&head[..], &source.octets(), &destination.octets()].concat()
            }
            mixed => panic!("{mixed:?}"),
        };
        if let Some((at, octet)) = self.quote_edit {
            quote[at] = octet;
        }
        quote.extend(&self.quoted_payload);
        quote
    }

    /// From the ICMP header on.
    pub fn icmp(&self) -> Vec<u8> {
        let mut icmp = vec![self.kind, self.code, 0, 0];
        icmp.extend(self.mtu_bytes.to_be_bytes());
        icmp.extend(self.quote());
        let mut summed = icmp.clone();
        if let (IpAddr::V6(router), IpAddr::V6(receiver)) = (self.router, self.receiver) {
            summed.resize(icmp.len().next_multiple_of(2), 0);
            summed.extend(router.octets());
            summed.extend(receiver.octets());
            summed.extend((icmp.len() as u32).to_be_bytes());
            summed.extend([0, 0, 0, 58]);
        }
        let sum = ones_complement_sum(&summed) ^ u16::from(!self.is_intact);
        icmp[2..4].copy_from_slice(&(!sum).to_be_bytes());
        icmp
    }

    /// As a raw socket gives it.
    pub fn received<T>(&self, judge: impl FnOnce(&Message<'_>) -> T) -> T {
        let icmp = self.icmp();
        let (IpAddr::V4(router), IpAddr::V4(receiver)) = (self.router, self.receiver) else {
            let (source, destination) = (self.router, self.receiver);
            return judge(&Message { ifindex: self.ifindex, source, destination, icmp: &icmp });
        };
        let [high, low] = (20 + icmp.len() as u16).to_be_bytes();
        let head = [0x45, 0, high, low, 0, 0, 0, 0, 64, 1, 0, 0];
        let packet = [&head[..], &router.octets(), &receiver.octets(), &icmp].concat();
        judge(&Message::ipv4(self.ifindex, &packet).expect("an IPv4 packet"))
    }

    pub fn judge(&self) -> Result<Told, Doubt> {
        self.judge_on(&Path::direct())
    }

    pub fn judge_on(&self, path: &Path) -> Result<Told, Doubt> {
        self.received(|message| believe(message, &path.facts()))
    }
}

fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |low| u64::from(*low)));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Routes to both backends by one router.
pub struct Path {
    pub view: View,
    tunnels: Tunnels,
}

impl Path {
    pub fn direct() -> Self {
        Self::over_vlan(BACKBONE)
    }

    /// By a device with this index on the backbone interface.
    pub fn over_vlan(ifindex: u32) -> Self {
        let link = Link {
            name: "bb0.5".to_owned(),
            egress_ifindex: BACKBONE,
            mac: [2, 0, 0, 0, 0, 1],
            vlan_id: Some(5),
            mtu_bytes: ROUTE_MTU_BYTES.into(),
            up: true,
        };
        let routes = [(HOME_V4, "10.4.0.0/16", "10.3.0.1"), (HOME_V6, "fd00:4::/32", "fd00:3::1")];
        let routes = routes.map(|(home, prefix, via)| {
            let hops = vec![Hop { ifindex, via: via.parse().unwrap(), weight: 1 }];
            (home.parse().unwrap(), Route { prefix: prefix.parse().unwrap(), mtu_bytes: ROUTE_MTU_BYTES, hops })
        });
        let view = View { routes: routes.into(), links: BTreeMap::from([(ifindex, link)]), ..View::default() };
        let sources = [POP_V4, POP_V6].map(|source| source.parse::<IpAddr>().unwrap().into()).to_vec();
        Self { view, tunnels: Tunnels { sources, gue_ports: [6080].into(), hosts: Vec::new() } }
    }

    /// The same seen from a gateway: far ends are PoP hosts with as many addresses as these prefixes hold.
    pub fn to_hosts(hosts: &[&str]) -> Self {
        let mut path = Self::direct();
        path.tunnels.hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        path
    }

    pub fn facts(&self) -> Facts<'_> {
        Facts::new([BACKBONE], &self.tunnels, &self.view)
    }
}
