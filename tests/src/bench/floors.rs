//! The floor programs, loaded and filled, and the peers that count what arrives.

use std::{
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
};

use anycast_common::{
    bench::{ADDRESSES, Address, Service, Tunnel, Tunnel4, peer},
    header::protocol,
};
use anycast_xdp::objects;
use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{DevMap, HashMap, MapData, PerCpuArray},
    programs::{SchedClassifier, Xdp, XdpMode},
};

use super::{
    addresses as at,
    egress::Classifier,
    maps::{self, Value},
    target::{Action, Handled, Target},
    world::World,
};

/// The programs of the object, but for the wrapper.
const PROGRAMS: [&str; 8] = [
    "floor_pass",
    "floor_ipip_min",
    "floor_encap",
    "floor_encap_redirect",
    "floor_lookup",
    "floor_decap",
    "floor_return",
    "peer",
];

/// Those at the egress.
const CLASSIFIERS: [&str; 2] = ["floor_leave", "floor_wrap"];

/// Every floor program, loaded.
pub struct Floors {
    arrived: PerCpuArray<MapData, u64>,
    forwarded: Rc<PerCpuArray<MapData, u64>>,
    ebpf: Ebpf,
}

/// Frames that the peers saw, over all time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// All of them.
    pub total: u64,
    /// Those whose outer header says that IP is inside.
    pub encapsulated: u64,
}

impl Floors {
    /// Loads the floors, fills their maps, and puts peers on the far ends of the wires. The near ends get a program
    /// that passes everything, as they have one in operation: without it the kernel takes no frames for them.
    pub fn load(world: &World) -> Result<Self> {
        let mut ebpf = Ebpf::load(objects::BENCH).context("cannot load the floors' object")?;
        for name in PROGRAMS {
            xdp(&mut ebpf, name)?.load().with_context(|| format!("the kernel refuses {name}"))?;
        }
        for name in CLASSIFIERS {
            let program = ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
            let program: &mut SchedClassifier = program.try_into()?;
            program.load().with_context(|| format!("the kernel refuses {name}"))?;
        }
        for wire in [&world.access, &world.backbone] {
            attach(&mut ebpf, "peer", wire.far.ifindex)?;
            attach(&mut ebpf, "floor_pass", wire.near.ifindex)?;
        }
        fill_services(&mut ebpf)?;
        fill_tunnels(&mut ebpf, world)?;
        fill_addresses(&mut ebpf)?;
        fill_ends(&mut ebpf)?;
        let mut egress: DevMap<&mut MapData> = ebpf.map_mut("EGRESS").context("no map EGRESS")?.try_into()?;
        egress.set(0, world.backbone.near.ifindex, None, 0)?;
        egress.set(1, world.access.near.ifindex, None, 0)?;
        let arrived = maps::take(&mut ebpf, "ARRIVED")?;
        let forwarded = Rc::new(maps::take(&mut ebpf, "FORWARDED")?);
        Ok(Self { arrived, forwarded, ebpf })
    }

    /// Nothing at all.
    pub fn pass(&self) -> Result<Target> {
        self.target("floor_pass", Action::Pass, 0)
    }

    /// A look-up of the address and IPv4 in IPv4.
    pub fn ipip_min(&self) -> Result<Target> {
        self.target("floor_ipip_min", Action::Tx, 20)
    }

    /// What a forwarder cannot do without, for a packet of a service.
    pub fn encap(&self, growth: i32) -> Result<Target> {
        Ok(Target { handled: Some(self.forwarded()), ..self.target("floor_encap", Action::Tx, growth)? })
    }

    /// The same out of another interface.
    pub fn encap_redirect(&self, growth: i32) -> Result<Target> {
        Ok(Target { handled: Some(self.forwarded()), ..self.target("floor_encap_redirect", Action::Redirect, growth)? })
    }

    /// What `floor_encap` does with a packet that is for no service.
    pub fn encap_nothing(&self) -> Result<Target> {
        self.target("floor_encap", Action::Pass, 0)
    }

    /// A bare look-up that finds something.
    pub fn lookup(&self) -> Result<Target> {
        self.target("floor_lookup", Action::Tx, 0)
    }

    /// What a decapsulator cannot do without.
    pub fn decap(&self, growth: i32) -> Result<Target> {
        Ok(Target { handled: Some(self.forwarded()), ..self.target("floor_decap", Action::Pass, growth)? })
    }

    /// What a PoP cannot do without to send an answer on.
    pub fn send_on(&self, growth: i32) -> Result<Target> {
        Ok(Target { handled: Some(self.forwarded()), ..self.target("floor_return", Action::Redirect, growth)? })
    }

    /// No classifier at all.
    pub fn leave(&self) -> Classifier<'_> {
        let (name, program) = ("floor_pass", "floor_leave");
        Classifier { name, ebpf: &self.ebpf, program, verdict: Action::Pass, growth: 0, handled: None }
    }

    /// What the egress of a gateway cannot do without.
    pub fn wrap(&self, growth: i32) -> Classifier<'_> {
        let handled = Some(self.forwarded());
        let name = "floor_wrap";
        Classifier { name, ebpf: &self.ebpf, program: name, verdict: Action::Redirect, growth, handled }
    }

    /// What arrived at the peers so far.
    pub fn arrived(&self) -> Result<Arrived> {
        Ok(Arrived {
            total: maps::sum(&self.arrived, peer::TOTAL)?,
            encapsulated: maps::sum(&self.arrived, peer::ENCAPSULATED)?,
        })
    }

    fn target(&self, name: &'static str, verdict: Action, growth: i32) -> Result<Target> {
        let program = self.ebpf.program(name).with_context(|| format!("no program {name}"))?;
        Ok(Target { name, program: Rc::new(program.fd()?.try_clone()?), verdict, growth, handled: None })
    }

    fn forwarded(&self) -> Handled {
        let forwarded = Rc::clone(&self.forwarded);
        Rc::new(move || Ok(maps::sum(&forwarded, 0)? + maps::sum(&forwarded, 1)?))
    }
}

fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    Ok(ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?.try_into()?)
}

fn attach(ebpf: &mut Ebpf, name: &str, ifindex: u32) -> Result<()> {
    xdp(ebpf, name)?
        .attach_to_if_index(ifindex, XdpMode::Driver)
        .with_context(|| format!("cannot attach {name} to interface {ifindex}"))?;
    Ok(())
}

fn fill_services(ebpf: &mut Ebpf) -> Result<()> {
    let mut services: HashMap<MapData, Value<Service>, Value<Tunnel>> = maps::take(ebpf, "FLOOR_SERVICES")?;
    for (vip, source, destination) in [
        (at::VIP_V4.parse()?, IpAddr::from(at::TUNNEL_SOURCE_V4), IpAddr::from(at::BACKEND_V4)),
        (at::VIP_V6.parse()?, IpAddr::from(at::TUNNEL_SOURCE_V6), IpAddr::from(at::BACKEND_V6)),
    ] {
        let service = Service {
            address: words(vip),
            port: at::PORT.to_be(),
            protocol: protocol::TCP,
            family: if vip.is_ipv4() { 4 } else { 6 },
        };
        let tunnel = Tunnel {
            source: halves(source),
            destination: halves(destination),
            mac: at::NEXT_HOP_MAC,
            family: service.family.into(),
        };
        services.insert(Value(service), Value(tunnel), 0)?;
    }
    Ok(())
}

fn fill_tunnels(ebpf: &mut Ebpf, world: &World) -> Result<()> {
    let mut tunnels: HashMap<MapData, [u8; 4], Value<Tunnel4>> = maps::take(ebpf, "FLOOR_TUNNELS")?;
    let [source, ..] = words(at::TUNNEL_SOURCE_V4.into());
    let [destination, ..] = words(at::BACKEND_V4.into());
    let ifindex = world.backbone.near.ifindex;
    let tunnel = Tunnel4 { source, destination, mac: at::NEXT_HOP_MAC, reserved: [0; 2], ifindex };
    for address in [at::VIP_V4, at::CLIENT_V4] {
        let address: Ipv4Addr = address.parse()?;
        tunnels.insert(address.octets(), Value(tunnel), 0)?;
    }
    Ok(())
}

fn fill_addresses(ebpf: &mut Ebpf) -> Result<()> {
    let mut addresses: HashMap<MapData, [u8; 4], u32> = maps::take(ebpf, "FLOOR_ADDRESSES")?;
    for nth in 0..ADDRESSES {
        addresses.insert((at::MANY_FIRST_V4.to_bits() + nth).to_be_bytes(), nth + 1, 0)?;
    }
    Ok(())
}

fn fill_ends(ebpf: &mut Ebpf) -> Result<()> {
    let key = |address| Value(Address { words: words(address) });
    let mut ends: HashMap<MapData, Value<Address>, u32> = maps::take(ebpf, "FLOOR_TUNNEL_ENDS")?;
    // The gateway's, and the PoP's for answers.
    let addresses: [IpAddr; 3] = [at::BACKEND_V4.into(), at::BACKEND_V6.into(), at::TUNNEL_SOURCE_V4.into()];
    for address in addresses {
        ends.insert(key(address), 1, 0)?;
    }
    let mut vips: HashMap<MapData, Value<Address>, u32> = maps::take(ebpf, "FLOOR_VIPS")?;
    for vip in [at::VIP_V4, at::VIP_V6, at::VIP_POP_V4] {
        vips.insert(key(vip.parse()?), 1, 0)?;
    }
    Ok(())
}

/// An address as it lies in memory, in words of four bytes; behind an IPv4 address zeros.
fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => [u32::from_ne_bytes(address.octets()), 0, 0, 0],
        IpAddr::V6(address) => {
            let octets = address.octets();
            std::array::from_fn(|word| u32::from_ne_bytes(std::array::from_fn(|byte| octets[4 * word + byte])))
        }
    }
}

/// The same in words of two bytes.
fn halves(address: IpAddr) -> [u16; 8] {
    let words = words(address).map(u32::to_ne_bytes);
    let bytes = words.as_flattened();
    std::array::from_fn(|half| u16::from_ne_bytes([bytes[2 * half], bytes[2 * half + 1]]))
}
