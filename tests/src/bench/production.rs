//! The programs under test, loaded and filled by the code that does it in operation. Only the routes are ours: they lead
//! to a neighbour on one of the bench's own wires.

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    os::fd::{AsFd as _, AsRawFd as _},
    rc::Rc,
};

use anycast_common::{
    header::GUE_PORT,
    map::{Counter, ReturnKey, ReturnValue},
    outcome::{Class, Outcome},
};
use anycast_xdp::{
    dataplane::{
        apply::plan,
        bindings::Bindings,
        inventory::{DownSet, Inventory},
        loader::{self, Loaded},
        tables::{Kernel, Raw},
        ways::Ways,
    },
    desired::{Config, GatewayRole, HealthFacts, Icmp, Limits, Local, PopRole, Role, Services},
    netlink::{Hop, Link, NeighbourKey, Route, View},
};
use anyhow::{Context as _, Result, bail};
use aya::{
    maps::{HashMap, Map, MapData, PerCpuArray, PerCpuValues},
    programs::ProgramFd,
};

use super::{
    addresses as at,
    egress::Classifier,
    report::Memory,
    services,
    target::{Action, Handled, Target},
    world::{Interface, World},
};

/// The program at the egress of a gateway.
const EGRESS: &str = "gateway_return";

/// The programs of ours that several scenarios measure.
pub struct Programs {
    /// An ordinary PoP, whose packets leave by the interface that they came in by.
    pub pop: Production,
    /// The same, whose packets leave by another.
    pub redirecting_pop: Production,
    /// A gateway.
    pub gateway: Production,
    /// A PoP's program for answers, which come in by the backbone wire and leave by the access wire.
    pub returning_pop: Production,
}

impl Programs {
    /// Loads all of them.
    pub fn load(world: &World) -> Result<Self> {
        let (access, backbone) = (&world.access.near, &world.backbone.near);
        Ok(Self {
            pop: Production::pop(world, access, services::ordinary()?, Limits::default())?,
            redirecting_pop: Production::pop(world, backbone, services::ordinary()?, Limits::default())?,
            gateway: Production::gateway(world, services::gateway()?, Limits::default())?,
            returning_pop: Production::backbone(world, services::returning()?)?,
        })
    }
}

/// A program of ours with its tables.
pub struct Production {
    state: Rc<Loaded>,
    program: Rc<ProgramFd>,
    inventory: Inventory,
    /// What it does with a packet that it forwards.
    verdict: Action,
}

impl Production {
    /// The PoP program, whose packets leave by `egress`.
    pub fn pop(world: &World, egress: &Interface, services: Services, limits: Limits) -> Result<Self> {
        // In the bench frames come in at the near end of the access wire.
        let verdict = if egress.ifindex == world.access.near.ifindex { Action::Tx } else { Action::Redirect };
        let config = config(pop_role(), services, limits);
        Self::load(&config, "pop", &Egress { interface: egress, access: None }, verdict)
    }

    /// The program for answers of a PoP.
    pub fn backbone(world: &World, services: Services) -> Result<Self> {
        let config = config(pop_role(), services, Limits::default());
        let egress = Egress { interface: &world.backbone.near, access: Some(&world.access.near) };
        Self::load(&config, "backbone", &egress, Action::Redirect)
    }

    /// The gateway program.
    pub fn gateway(world: &World, services: Services, limits: Limits) -> Result<Self> {
        let role = Role::Gateway(GatewayRole {
            tunnel_addresses: vec![at::BACKEND_V4.into(), at::BACKEND_V6.into()],
            allowed_sources: vec![IpAddr::from(at::TUNNEL_SOURCE_V4).into(), IpAddr::from(at::TUNNEL_SOURCE_V6).into()],
            gre_keys: Vec::new(),
            gue_port: GUE_PORT,
            return_mtu_bytes: None,
        });
        let egress = Egress { interface: &world.backbone.near, access: None };
        Self::load(&config(role, services, limits), "gateway", &egress, Action::Pass)
    }

    fn load(config: &Config, program: &str, egress: &Egress<'_>, verdict: Action) -> Result<Self> {
        let seed = match &config.local.role {
            Role::Pop(role) => Some(role.hash_seed),
            Role::Gateway(_) => None,
        };
        let mut loaded = loader::load(None, &config.local.limits, seed.as_ref())?;
        let kernel = &mut loaded.kernel;
        let mut plan = plan(kernel, &Inventory::default(), config, &DownSet::new())?;
        plan.install_backends(kernel)?;
        let backends: Vec<_> =
            plan.next.pools.iter().flat_map(|pool| &pool.backends).map(|one| (one.address, one.index)).collect();
        Ways::new(kernel).update(kernel, &view(egress, &backends), &backends)?;
        plan.switch(kernel, &Bindings::default())?;
        let inventory = plan.next;
        if let Role::Gateway(_) = config.local.role {
            loaded.classifier(EGRESS)?;
        }
        let program = Rc::new(loaded.xdp(program)?.fd()?.try_clone()?);
        Ok(Self { state: Rc::new(loaded), program, inventory, verdict })
    }

    /// As it must treat packets for a VIP of `pool`.
    pub fn forwarding(&self, name: &'static str, pool: &str, growth: i32) -> Result<Target> {
        let pool = self.inventory.pool(pool).with_context(|| format!("no pool {pool}"))?;
        let indexes: Vec<u32> = pool.backends.iter().map(|backend| backend.index).collect();
        let handled = self.counting(move |kernel| {
            indexes.iter().map(|index| Ok(packets(&kernel.counters.backends.get(index, 0)?))).sum()
        });
        Ok(self.target(name, self.verdict, growth, handled))
    }

    /// As it must treat packets that are for no VIP.
    pub fn passing(&self, name: &'static str) -> Target {
        let handled = self.counting(|kernel| Ok(packets(&kernel.counters.outcomes.get(&(Outcome::NotVip as u32), 0)?)));
        self.target(name, Action::Pass, 0, handled)
    }

    /// As it must treat tunnel packets with a packet for `vip` inside.
    pub fn decapsulating(&self, name: &'static str, vip: IpAddr, growth: i32) -> Result<Target> {
        let index = self.inventory.vip(vip).with_context(|| format!("no VIP {vip}"))?.index;
        let handled = self.counting(move |kernel| {
            let counters = kernel.counters.vips.get(&index, 0)?;
            Ok(counters.iter().map(|classes| classes[Class::Forwarded as usize].0.packets).sum())
        });
        Ok(self.target(name, self.verdict, growth, handled))
    }

    /// As it must treat answers of `vip`.
    pub fn returning(&self, name: &'static str, vip: IpAddr, growth: i32) -> Result<Target> {
        Ok(self.target(name, self.verdict, growth, self.returned(vip)?))
    }

    /// The program at a gateway's egress, as it must treat answers of `vip`.
    pub fn answering(&self, name: &'static str, vip: IpAddr, growth: i32) -> Result<Classifier<'_>> {
        let handled = Some(self.returned(vip)?);
        Ok(Classifier { name, ebpf: &self.state.ebpf, program: EGRESS, verdict: Action::Redirect, growth, handled })
    }

    /// Counts answers of `vip`.
    fn returned(&self, vip: IpAddr) -> Result<Handled> {
        let index = self.inventory.vip(vip).with_context(|| format!("no VIP {vip}"))?.index;
        let state = Rc::clone(&self.state);
        Ok(Rc::new(move || {
            let map = state.ebpf.map("RETURN_COUNTERS").context("no map RETURN_COUNTERS")?;
            let counters: PerCpuArray<&MapData, Raw<Counter>> = map.try_into()?;
            Ok(packets(&counters.get(&index, 0)?))
        }))
    }

    /// Clients whose way back is known.
    pub fn clients(&self) -> Result<usize> {
        let map = self.state.ebpf.map("RETURN_PATHS").context("no map RETURN_PATHS")?;
        let paths: HashMap<&MapData, Raw<ReturnKey>, Raw<ReturnValue>> = map.try_into()?;
        Ok(paths.keys().collect::<Result<Vec<_>, _>>()?.len())
    }

    /// The map of the ways back, and how much memory it takes.
    pub fn memory_of_return_paths(&self, scenario: &'static str) -> Result<Memory> {
        let map = self.state.ebpf.map("RETURN_PATHS").context("no map RETURN_PATHS")?;
        let Map::LruHashMap(data) = map else { bail!("RETURN_PATHS is of another kind") };
        let fdinfo = fs::read_to_string(format!("/proc/self/fdinfo/{}", data.fd().as_fd().as_raw_fd()))?;
        let bytes = fdinfo.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok());
        let bytes = bytes.context("the kernel does not say how much memory a map takes")?;
        Ok(Memory { scenario, map: "RETURN_PATHS", entries: data.info()?.max_entries(), bytes })
    }

    fn target(&self, name: &'static str, verdict: Action, growth: i32, handled: Handled) -> Target {
        Target { name, program: Rc::clone(&self.program), verdict, growth, handled: Some(handled) }
    }

    fn counting(&self, count: impl Fn(&Kernel) -> Result<u64> + 'static) -> Handled {
        let state = Rc::clone(&self.state);
        Rc::new(move || count(&state.kernel))
    }
}

fn packets(values: &PerCpuValues<Raw<Counter>>) -> u64 {
    values.iter().map(|counter| counter.0.packets).sum()
}

fn config(role: Role, services: Services, limits: Limits) -> Config {
    let local = Local {
        instance: "bench".into(),
        role,
        pop: "bench".into(),
        host: "bench".into(),
        interfaces: Vec::new(),
        limits,
        control: anycast_xdp::desired::ControlFacts::default(),
    };
    Config { local, services }
}

/// Where frames leave by.
struct Egress<'a> {
    /// Toward backends, or PoP hosts.
    interface: &'a Interface,
    /// Toward clients, where the program sends to them.
    access: Option<&'a Interface>,
}

fn pop_role() -> Role {
    Role::Pop(PopRole {
        tunnel_source_ipv4: Some(at::TUNNEL_SOURCE_V4.into()),
        tunnel_source_ipv6: Some(at::TUNNEL_SOURCE_V6.into()),
        hash_seed: *b"bench of anycast",
        allow_small_mtu: true,
        icmp: Icmp::default(),
        transition_secs: 300,
        gue_port: GUE_PORT,
        health: HealthFacts::default(),
        publish: None,
    })
}

/// One route to all backends, by a neighbour on the egress interface.
fn view(egress: &Egress<'_>, backends: &[(IpAddr, u32)]) -> View {
    let Egress { interface: egress, access } = egress;
    let hop = |via| Hop { ifindex: egress.ifindex, via, weight: 1 };
    let key = |address| NeighbourKey { ifindex: egress.ifindex, address };
    let routes = backends.iter().map(|(address, _)| {
        let route = Route { prefix: at::backbone(*address), mtu_bytes: 1500, hops: vec![hop(at::next_hop(*address))] };
        (*address, route)
    });
    let neighbours =
        backends.iter().map(|(address, _)| (key(at::next_hop(*address)), at::NEXT_HOP_MAC)).collect::<BTreeMap<_, _>>();
    let link = |interface: &Interface| Link {
        name: interface.name.clone(),
        egress_ifindex: interface.ifindex,
        mac: at::EGRESS_MAC,
        vlan_id: None,
        mtu_bytes: 1500,
        up: true,
    };
    let interfaces = access.iter().chain([egress]);
    View {
        routes: routes.collect(),
        neighbours,
        links: interfaces.map(|interface| (interface.ifindex, link(interface))).collect(),
        access: access.iter().map(|interface| interface.ifindex).collect(),
    }
}
