//! One loaded object and what its tables hold.

use std::{collections::BTreeMap, net::IpAddr};

use anycast_common::{map::TransitionKey, probe::ProbeMark};
use anycast_xdp::{
    dataplane::{
        apply,
        bindings::Bindings,
        icmp,
        inventory::{DownSet, Inventory},
        loader::{self, Loaded},
        own_addresses::{HEALTH_SOURCES, Own},
        tables::Dataplane as _,
    },
    desired::{
        self, Config, FailoverPolicy, GatewayRole, HashOn, HealthFacts, Icmp, IcmpEcho, Limits, Local, PopRole, Role,
        Services, State,
    },
};
use anyhow::{Context as _, Result};
use aya::programs::{SchedClassifier, Xdp};

use super::{emptied::emptied, odd, returns};
use crate::oracle::{
    model::{Input, Mark},
    tables::{Answers, Echo, GatewayTables, Hash, PopReturns, PopTables, Returns, Vip},
};

/// Room for the largest tables that are generated, and little more: all counters are read again and again.
pub(super) const LIMITS: Limits = Limits {
    vips: 32,
    pools: 8,
    backends: 320,
    slots: 1 << 20,
    groups: 320,
    next_hops: 16,
    links: 8,
    listener_sets: 64,
    vip_drops: 1024,
    transitions: 1024,
    return_clients: 1024,
};

/// An object whose tables were written by the production code, as a daemon would.
pub(super) struct Instance {
    pub loaded: Loaded,
    /// Index of each VIP, in the order of the model's tables.
    pub vips: Vec<u32>,
    /// Index of each backend of each pool, in the order of the model's tables.
    pub backends: Vec<Vec<u32>>,
    /// Flows that began in a transition, as the tables have them before each packet.
    pub begun: BTreeMap<TransitionKey, u32>,
    /// Index of the PoP host of each allowed source; 0: it is none.
    pub peers: Vec<u32>,
    /// Ways of clients may be others than those of the tables.
    pub has_remembered: bool,
    /// The programs hold it as a constant.
    seed: Option<[u8; 16]>,
}

impl Instance {
    /// A PoP, with the programs of `before` if they fit.
    pub fn pop(before: Option<Self>, tables: &PopTables) -> Result<Self> {
        let role = Role::Pop(PopRole {
            tunnel_source_ipv4: tables.source_ipv4,
            tunnel_source_ipv6: tables.source_ipv6,
            hash_seed: tables.seed,
            allow_small_mtu: true,
            icmp: desired_answers(&tables.answers),
            transition_secs: 300,
            gue_port: PopReturns::GUE_PORT,
            health: health(tables),
            publish: None,
        });
        let returns = |position| if tables.returns.vips.contains(&position) { Returns::Pop } else { Returns::Direct };
        let vips = tables.vips.iter().enumerate();
        let vips = vips.map(|(position, vip)| desired_vip(position, vip, returns(position)));
        let services = Services {
            vips: vips.collect(),
            pools: tables.pools.iter().enumerate().map(|(position, pool)| desired_pool(position, pool)).collect(),
            ..Services::default()
        };
        let (mut instance, inventory) = Self::load(before, role, services, Some(tables.seed))?;
        odd::write_pop_ways(&mut instance, tables)?;
        odd::write_oddities(&mut instance, tables, &inventory);
        odd::write_transitions(&mut instance, tables, &inventory);
        Ok(instance)
    }

    /// A gateway, with the programs of `before`.
    pub fn gateway(before: Option<Self>, tables: &GatewayTables) -> Result<Self> {
        let role = Role::Gateway(GatewayRole {
            tunnel_addresses: tables.tunnel_addresses.clone(),
            allowed_sources: tables.allowed_sources.clone(),
            gre_keys: tables.gre_keys.clone(),
            gue_port: tables.gue_port,
            return_mtu_bytes: None,
        });
        let vips = tables.vips.iter().enumerate().map(|(position, address)| desired::Vip {
            name: format!("vip-{position}"),
            address: *address,
            listeners: Vec::new(),
            hash: HashOn::Addresses,
            pool: None,
            icmp_echo: IcmpEcho::Forward,
            returns: tables.returns.vips.get(position).copied().unwrap_or_default(),
            fallback_pools: Vec::new(),
            failover: FailoverPolicy::default(),
            publish: None,
        });
        let services = Services { vips: vips.collect(), pools: Vec::new(), ..Services::default() };
        let (mut instance, _) = Self::load(before, role, services, None)?;
        instance.peers = returns::peers(&mut instance, tables)?;
        odd::write_gateway_ways(&mut instance, tables)?;
        instance.write_paths(tables)?;
        Ok(instance)
    }

    fn load(before: Option<Self>, role: Role, services: Services, seed: Option<[u8; 16]>) -> Result<(Self, Inventory)> {
        let mut loaded = match before.filter(|before| before.seed == seed) {
            Some(before) => emptied(before.loaded)?,
            None => loader::load(None, &LIMITS, seed.as_ref())?,
        };
        let local = Local {
            instance: "oracle".to_owned(),
            role,
            pop: "oracle".to_owned(),
            host: "oracle".to_owned(),
            interfaces: Vec::new(),
            limits: LIMITS,
            control: desired::ControlFacts::default(),
        };
        let config = Config { local, services };
        let mut plan = apply::plan(&mut loaded.kernel, &Inventory::default(), &config, &DownSet::new())?;
        plan.install_backends(&mut loaded.kernel)?;
        if let Role::Pop(role) = &config.local.role {
            icmp::switch(&mut loaded.kernel, &role.icmp)?;
            let health = Own { ipv4: role.health.source_ipv4, ipv6: role.health.source_ipv6 };
            HEALTH_SOURCES.switch(&mut loaded.kernel, health)?;
        }
        plan.switch(&mut loaded.kernel, &Bindings::default())?;
        let inventory = plan.next;
        let vips = inventory.vips.iter().map(|vip| vip.index).collect();
        let indexes = |pool: &anycast_xdp::dataplane::inventory::PoolRecord| {
            pool.backends.iter().map(|backend| backend.index).collect()
        };
        let backends = inventory.pools.iter().map(indexes).collect();
        Ok((
            Self { loaded, vips, backends, begun: BTreeMap::new(), peers: Vec::new(), has_remembered: false, seed },
            inventory,
        ))
    }

    /// Makes the table of flows as it was before the first packet: what one packet leaves is no matter of the next.
    pub fn reset_flows(&mut self) -> Result<()> {
        let kernel = &mut self.loaded.kernel;
        kernel.forget_flows(&|key, backend_index| self.begun.get(key) != Some(&backend_index))?;
        self.begun.iter().try_for_each(|(key, backend_index)| kernel.remember_flow(*key, *backend_index))
    }

    /// The same input, with the mark of a probe in its frame.
    pub fn marked(&self, input: &Input) -> Input {
        let index = input.mark.map(|mark| match mark {
            Mark::Of(pool, backend) => self.backends[pool][backend],
            Mark::Nobody(index) => index,
        });
        let mut marked = input.clone();
        if let Some(mark) = index.and_then(ProbeMark::new) {
            marked.frame[6..12].copy_from_slice(&mark.to_mac());
        }
        marked
    }

    pub fn classifier(&self, name: &str) -> Result<&SchedClassifier> {
        let program = self.loaded.ebpf.program(name).with_context(|| format!("the object has no program {name}"))?;
        Ok(program.try_into()?)
    }

    pub fn program(&self, name: &str) -> Result<&Xdp> {
        let program = self.loaded.ebpf.program(name).with_context(|| format!("the object has no program {name}"))?;
        Ok(program.try_into()?)
    }
}

/// One address of each family.
fn health(tables: &PopTables) -> HealthFacts {
    let mut facts = HealthFacts::default();
    for address in &tables.health {
        match address {
            IpAddr::V4(address) => facts.source_ipv4 = Some(*address),
            IpAddr::V6(address) => facts.source_ipv6 = Some(*address),
        }
    }
    facts
}

fn desired_vip(position: usize, vip: &Vip, returns: Returns) -> desired::Vip {
    let listeners = vip
        .listeners
        .iter()
        .map(|listener| desired::Listener { protocol: listener.protocol, ports: listener.ports })
        .collect();
    desired::Vip {
        name: format!("vip-{position}"),
        address: vip.address,
        listeners,
        hash: match vip.hash {
            Hash::Flow => HashOn::Flow,
            Hash::Source => HashOn::Source,
            Hash::Addresses => HashOn::Addresses,
        },
        pool: vip.pool.map(|pool| format!("pool-{pool}")),
        icmp_echo: match vip.echo {
            Echo::Forward => IcmpEcho::Forward,
            Echo::Answer => IcmpEcho::Answer,
            Echo::Drop => IcmpEcho::Drop,
        },
        returns,
        fallback_pools: Vec::new(),
        failover: FailoverPolicy::default(),
        publish: None,
    }
}

/// No rate that packets come at exceeds the highest one.
fn desired_answers(answers: &Answers) -> Icmp {
    let rate_pps = |answers: bool| if answers { 1_000_000 } else { 0 };
    Icmp {
        source_ipv4: answers.source_ipv4,
        source_ipv6: answers.source_ipv6,
        echo_rate_pps: rate_pps(answers.echo),
        error_rate_pps: rate_pps(answers.errors),
    }
}

fn desired_pool(position: usize, pool: &crate::oracle::tables::Pool) -> desired::Pool {
    let backends = pool
        .backends
        .iter()
        .map(|backend| desired::Backend {
            address: backend.address,
            weight: backend.weight,
            encap: backend.encap,
            mtu_bytes: None,
            state: State::Up,
        })
        .collect();
    desired::Pool {
        name: format!("pool-{position}"),
        home_region: "oracle".to_owned(),
        state: State::Up,
        backends,
        health: None,
        dial_percent: 100,
    }
}
