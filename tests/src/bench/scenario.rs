//! The scenarios: which programs are fed what, and what is promised about them.

use anycast_common::{bench::ADDRESSES, header::ETHERNET_BYTES};
use anycast_xdp::desired::Limits;
use anyhow::{Result, ensure};

use super::{
    addresses as at,
    bar::{Against, Bar, RowName},
    feed::{Feed, Flows},
    floors::Floors,
    live::LiveScenario,
    options::Options,
    production::{Production, Programs},
    report::Memory,
    services::{self, POOL_ARMED, POOL_HUNDRED, POOL_ONE, POOL_ONE_V6},
    target::Target,
    world::World,
    wrapper::{Mode, Wrapper},
};
use crate::packet::Packet;

/// IPv4, one flow: what other scenarios are compared with.
const V4: &str = "v4";
/// IPv6, one flow.
const V6: &str = "v6";

/// A VIP that takes everything, one backend.
const WHOLE_IP: &str = "whole_ip";
/// A VIP that takes everything, a hundred backends.
const MAGLEV: &str = "maglev_100";
/// A VIP with a listener, one backend.
const LISTENERS: &str = "listeners";
/// A VIP with a listener, a hundred backends: picked by the 5-tuple.
const MAGLEV_LISTENERS: &str = "maglev_100_listeners";

/// A VIP with everything that a VIP can have: [`services::POOL_ARMED`].
const ARMED: &str = "armed";

/// IPv4 in IPv4 on a gateway, one client: what many clients are compared with.
const V4_GATEWAY: &str = "v4_gateway";
/// A gateway's program with packets for a VIP whose answers go through PoPs.
const RETURN_POP: &str = "gateway_return_pop";
/// Clients that a gateway knows, where they are many.
const CLIENTS: u32 = 1 << 20;

/// Length of an IPv4 frame: the shortest that Ethernet knows, without its checksum and four bytes of padding over.
pub const FRAME_BYTES_V4: usize = 64;
/// Length of an IPv6 frame.
const FRAME_BYTES_V6: usize = 78;

/// Programs that are fed alike.
#[derive(Debug)]
pub struct Scenario {
    /// Name in the report.
    pub name: &'static str,
    /// What the floors are fed.
    pub feed: Feed,
    /// Floors first.
    pub rows: Vec<Planned>,
    /// Where frames come in, if not by the access wire.
    pub ingress: Option<u32>,
    /// How much memory a map takes that the scenario is about.
    pub memory: Option<Memory>,
}

/// One program in a scenario.
#[derive(Debug)]
pub struct Planned {
    /// The program.
    pub target: Target,
    /// What it is fed.
    pub feed: Feed,
    /// What is promised.
    pub bar: Option<Bar>,
}

/// The scenarios that are asked for. Their names are given here only.
pub fn all(floors: &Floors, programs: &Programs, world: &World, options: &Options) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    let mut add = |name, make: &dyn Fn(&'static str) -> Result<Scenario>| -> Result<()> {
        if options.wants(name) {
            scenarios.push(make(name)?);
        }
        Ok(())
    };
    let Programs { pop, gateway, returning_pop, .. } = programs;
    add(V4, &|_| one_flow_v4(floors, pop))?;
    add(V6, &|_| one_flow_v6(floors, pop))?;
    add("v4_no_vip", &|name| no_vip(name, tcp_v4(at::NO_VIP_V4), floors, pop))?;
    add("v6_no_vip", &|name| no_vip(name, tcp_v6(at::NO_VIP_V6), floors, pop))?;
    add("v4_new_flows", &|name| many_flows(name, Flows::New, floors, pop))?;
    add("v4_million_flows", &|name| many_flows(name, Flows::Many(1 << 20), floors, pop))?;
    add("v4_100k_vips", &|name| many_vips(name, floors, world))?;
    add(V4_GATEWAY, &|name| decapsulation(name, floors, gateway))?;
    add("v6_gateway", &|name| decapsulation(name, floors, gateway))?;
    add("v4_gateway_million_clients", &|name| many_clients(name, floors, world))?;
    add("v4_return", &|name| answers(name, floors, returning_pop, world))?;
    Ok(scenarios)
}

fn one_flow_v4(floors: &Floors, pop: &Production) -> Result<Scenario> {
    let mut scenario = Scenario::new(V4, Feed::new(tcp_v4(at::VIP_V4)));
    scenario.floors([floors.pass()?, floors.ipip_min()?, floors.encap(20)?]);
    scenario.add(pop.forwarding(WHOLE_IP, POOL_ONE, 20)?, at::VIP_V4, Some(Bar::floor(1.2)));
    scenario.add(pop.forwarding(MAGLEV, POOL_HUNDRED, 20)?, at::VIP_MAGLEV_V4, Some(Bar::floor(1.4)));
    let over = |target| Some(Bar { against: Against::RatioAbove(RowName { scenario: V4, target }), most: 0.5 });
    scenario.add(pop.forwarding(LISTENERS, POOL_ONE, 20)?, at::VIP_LISTENERS_V4, over(WHOLE_IP));
    let target = pop.forwarding(MAGLEV_LISTENERS, POOL_HUNDRED, 20)?;
    scenario.add(target, at::VIP_MAGLEV_LISTENERS_V4, over(MAGLEV));
    scenario.add(pop.forwarding("gre", "gre", 24)?, at::VIP_GRE_V4, Some(Bar::floor(1.3)));
    scenario.add(pop.forwarding("gre_keyed", "gre_keyed", 28)?, at::VIP_GRE_KEYED_V4, Some(Bar::floor(1.3)));
    scenario.add(pop.forwarding("gue", "gue", 28)?, at::VIP_GUE_V4, Some(Bar::floor(1.4)));
    scenario.add(pop.forwarding(ARMED, POOL_ARMED, 28)?, at::VIP_ARMED_V4, Some(Bar::floor(1.6)));
    let as_tcp = Bar { against: Against::NetOf(RowName { scenario: V4, target: ARMED }), most: 1.02 };
    scenario.add_frame(pop.forwarding("armed_udp", POOL_ARMED, 28)?, udp_v4(at::VIP_ARMED_V4), Some(as_tcp));
    Ok(scenario)
}

fn one_flow_v6(floors: &Floors, pop: &Production) -> Result<Scenario> {
    let mut scenario = Scenario::new(V6, Feed::new(tcp_v6(at::VIP_V6)));
    scenario.floors([floors.pass()?, floors.encap(40)?]);
    scenario.add(pop.forwarding(WHOLE_IP, POOL_ONE_V6, 40)?, at::VIP_V6, Some(Bar::floor(1.3)));
    let over = Bar { against: Against::RatioAbove(RowName { scenario: V6, target: WHOLE_IP }), most: 0.5 };
    scenario.add(pop.forwarding(LISTENERS, POOL_ONE_V6, 40)?, at::VIP_LISTENERS_V6, Some(over));
    scenario.add(pop.forwarding("gre", "gre_v6", 44)?, at::VIP_GRE_V6, None);
    scenario.add(pop.forwarding("gue", "gue_v6", 48)?, at::VIP_GUE_V6, None);
    Ok(scenario)
}

fn no_vip(name: &'static str, frame: Vec<u8>, floors: &Floors, pop: &Production) -> Result<Scenario> {
    let mut scenario = Scenario::new(name, Feed::new(frame));
    scenario.floors([floors.pass()?, floors.encap_nothing()?]);
    scenario.add_as_is(pop.passing("pop"), Some(Bar::floor(0.65)));
    Ok(scenario)
}

fn many_flows(name: &'static str, flows: Flows, floors: &Floors, pop: &Production) -> Result<Scenario> {
    let mut scenario = Scenario::new(name, Feed::new(tcp_v4(at::VIP_V4)).flows(flows));
    scenario.floors([floors.pass()?, floors.encap(20)?]);
    for (target, pool, vip) in [
        (WHOLE_IP, POOL_ONE, at::VIP_V4),
        (MAGLEV, POOL_HUNDRED, at::VIP_MAGLEV_V4),
        (MAGLEV_LISTENERS, POOL_HUNDRED, at::VIP_MAGLEV_LISTENERS_V4),
    ] {
        let bar = Bar { against: Against::NetOf(RowName { scenario: V4, target }), most: 1.15 };
        scenario.add(pop.forwarding(target, pool, 20)?, vip, Some(bar));
    }
    Ok(scenario)
}

fn many_vips(name: &'static str, floors: &Floors, world: &World) -> Result<Scenario> {
    let limits = Limits { vips: ADDRESSES, ..Limits::default() };
    let pop = Production::pop(world, &world.access.near, services::many_vips(), limits)?;
    let first = at::MANY_FIRST_V4.to_string();
    let mut scenario = Scenario::new(name, Feed::new(tcp_v4(&first)).destinations(ADDRESSES));
    let lookup = floors.lookup()?;
    let over = Bar { against: Against::NsAbove(RowName { scenario: name, target: lookup.name }), most: 10.0 };
    scenario.floors([floors.pass()?, lookup]);
    scenario.add_as_is(pop.forwarding(WHOLE_IP, POOL_ONE, 20)?, Some(over));
    Ok(scenario)
}

fn decapsulation(name: &'static str, floors: &Floors, gateway: &Production) -> Result<Scenario> {
    let (vip, pop, growth) =
        if name == V4_GATEWAY { (at::VIP_V4, at::VIP_POP_V4, -20) } else { (at::VIP_V6, at::VIP_POP_V6, -40) };
    let mut scenario = Scenario::new(name, Feed::new(in_tunnel(vip)));
    let floor = floors.decap(growth)?;
    let bar = Bar { against: Against::NetOf(RowName { scenario: name, target: floor.name }), most: 1.2 };
    scenario.floors([floors.pass()?, floor]);
    scenario.add_as_is(gateway.decapsulating("gateway", vip.parse()?, growth)?, Some(bar));
    scenario.add_frame(gateway.decapsulating(RETURN_POP, pop.parse()?, growth)?, in_tunnel(pop), Some(bar));
    Ok(scenario)
}

fn many_clients(name: &'static str, floors: &Floors, world: &World) -> Result<Scenario> {
    // The kernel keeps some elements for each CPU, and would recycle others before the last are used.
    let limits = Limits { return_clients: CLIENTS + CLIENTS / 16, ..Limits::default() };
    let gateway = Production::gateway(world, services::gateway()?, limits)?;
    let feed = Feed::new(in_tunnel(at::VIP_POP_V4)).flows(Flows::Clients(CLIENTS));
    let target = gateway.decapsulating(RETURN_POP, at::VIP_POP_V4.parse()?, -20)?;
    // Each has its turn once in so many packets.
    Wrapper::load(target.clone(), feed.clone(), Mode::Loop, world.access.near.ifindex, CLIENTS / 16)?.run(CLIENTS)?;
    let known = gateway.clients()?;
    ensure!(known == CLIENTS as usize, "of {CLIENTS} clients the gateway knows {known}");
    let mut scenario = Scenario::new(name, feed);
    scenario.memory = Some(gateway.memory_of_return_paths(name)?);
    scenario.floors([floors.pass()?, floors.decap(-20)?]);
    scenario.add_as_is(target, None);
    Ok(scenario)
}

fn answers(name: &'static str, floors: &Floors, pop: &Production, world: &World) -> Result<Scenario> {
    let answer = Packet::from_to(at::VIP_POP_V4, at::CLIENT_V4).tcp(at::PORT, 31337).pad_to(FRAME_BYTES_V4).build();
    let outer = Packet::v4(at::BACKEND_V4, at::TUNNEL_SOURCE_V4).as_outer();
    let mut scenario = Scenario::new(name, Feed::new(outer.encapsulating(&answer[ETHERNET_BYTES..]).build()));
    scenario.ingress = Some(world.backbone.near.ifindex);
    let floor = floors.send_on(-20)?;
    let bar = Bar { against: Against::NetOf(RowName { scenario: name, target: floor.name }), most: 1.2 };
    scenario.floors([floors.pass()?, floor]);
    scenario.add_as_is(pop.returning("backbone", at::VIP_POP_V4.parse()?, -20)?, Some(bar));
    Ok(scenario)
}

impl Scenario {
    fn new(name: &'static str, feed: Feed) -> Self {
        Self { name, feed, rows: Vec::new(), ingress: None, memory: None }
    }

    /// Adds floors, which nothing is promised about.
    fn floors(&mut self, targets: impl IntoIterator<Item = Target>) {
        for target in targets {
            self.add_as_is(target, None);
        }
    }

    /// Adds a program that is fed the same.
    fn add_as_is(&mut self, target: Target, bar: Option<Bar>) {
        self.rows.push(Planned { target, feed: self.feed.clone(), bar });
    }

    /// Adds a program that is fed the same to another VIP.
    fn add(&mut self, target: Target, vip: &str, bar: Option<Bar>) {
        self.add_frame(target, if vip.contains(':') { tcp_v6(vip) } else { tcp_v4(vip) }, bar);
    }

    /// Adds a program that is fed another frame.
    fn add_frame(&mut self, target: Target, frame: Vec<u8>, bar: Option<Bar>) {
        self.rows.push(Planned { target, feed: Feed { frame, ..self.feed.clone() }, bar });
    }
}

/// The acknowledgement of a TCP flow: the commonest packet there is, and the shortest.
fn tcp_v4(destination: &str) -> Vec<u8> {
    Packet::from_to(at::CLIENT_V4, destination).tcp(31337, at::PORT).pad_to(FRAME_BYTES_V4).build()
}

/// The same as it comes to a gateway.
pub fn in_tunnel(vip: &str) -> Vec<u8> {
    let (outer, inner) = if vip.contains(':') {
        (Packet::v6(at::TUNNEL_SOURCE_V6, at::BACKEND_V6), tcp_v6(vip))
    } else {
        (Packet::v4(at::TUNNEL_SOURCE_V4, at::BACKEND_V4), tcp_v4(vip))
    };
    outer.as_outer().encapsulating(&inner[ETHERNET_BYTES..]).build()
}

fn udp_v4(destination: &str) -> Vec<u8> {
    Packet::from_to(at::CLIENT_V4, destination).udp(31337, at::PORT).pad_to(FRAME_BYTES_V4).build()
}

fn tcp_v6(destination: &str) -> Vec<u8> {
    Packet::from_to(at::CLIENT_V6, destination).tcp(31337, at::PORT).pad_to(FRAME_BYTES_V6).build()
}

/// Every scenario with live frames.
pub fn live(floors: &Floors, programs: &Programs) -> Result<Vec<LiveScenario>> {
    let feed = || Feed::new(tcp_v4(at::VIP_V4));
    let transmit = programs.pop.forwarding(WHOLE_IP, POOL_ONE, 20)?;
    let redirect = programs.redirecting_pop.forwarding(WHOLE_IP, POOL_ONE, 20)?;
    Ok(vec![
        LiveScenario { name: "live_tx", rows: vec![(floors.encap(20)?, feed()), (transmit, feed())] },
        LiveScenario { name: "live_redirect", rows: vec![(floors.encap_redirect(20)?, feed()), (redirect, feed())] },
    ])
}
