//! An instance without a daemon.

use anycast_tests::lab::Namespace;
use anycast_xdp::{
    dataplane::{
        self, attach,
        egress::{EgressHook, EgressProgram},
        generations::Target,
        interfaces::{interface_index, xdp},
        inventory::InterfaceRecord,
        loader,
        pins::Pins,
    },
    desired::{AttachMode, Config, ControlFacts, GatewayRole, Interface, Limits, Local, Role, Services},
};

use crate::programs;

/// Every configuration here is small.
const LIMITS: Limits = Limits {
    vips: 4,
    pools: 4,
    backends: 4,
    slots: 1024,
    groups: 4,
    next_hops: 4,
    links: 4,
    listener_sets: 4,
    vip_drops: 4,
    transitions: 4,
    return_clients: 64,
};

/// A namespace with two veth pairs, and an instance in it.
pub struct Bare {
    pub namespace: Namespace,
    pub pins: Pins,
}

impl Bare {
    pub fn new(what: &str) -> Self {
        let namespace = Namespace::new(what).unwrap();
        for name in ["eth0", "eth1.7"] {
            namespace.ip(&format!("link add {name} type veth peer name {name}p")).unwrap();
            namespace.ip(&format!("link set {name} up")).unwrap();
        }
        let pins = Pins::of(namespace.name());
        pins.create().unwrap();
        Self { namespace, pins }
    }

    /// Loads the object anew, as every start does, and attaches.
    pub fn attach(&self, interfaces: &[Interface], hook: EgressHook) -> anyhow::Result<Vec<InterfaceRecord>> {
        let config = Config {
            local: Local {
                instance: self.pins.instance().to_owned(),
                role: Role::Gateway(GatewayRole {
                    tunnel_addresses: Vec::new(),
                    allowed_sources: Vec::new(),
                    gre_keys: Vec::new(),
                    gue_port: 6080,
                    return_mtu_bytes: None,
                }),
                pop: "home".to_owned(),
                host: "home-1".to_owned(),
                interfaces: interfaces.to_vec(),
                limits: LIMITS,
                control: ControlFacts::default(),
            },
            services: Services::default(),
        };
        let attach = || {
            let target = Target::choose(&self.pins, &LIMITS)?;
            let mut loaded = loader::load(Some(target.maps()), &LIMITS, None)?;
            attach::attach(&mut loaded, &self.pins, &config, |_| hook)
        };
        self.namespace.enter(attach).unwrap()
    }

    pub fn programs(&self, interface: &str) -> Vec<EgressProgram> {
        programs(&self.namespace, interface)
    }

    pub fn has_xdp(&self, interface: &str) -> bool {
        let state = || interface_index(interface).and_then(|index| xdp(index).unwrap());
        self.namespace.enter(state).unwrap().is_some()
    }

    pub fn detach(&self) -> bool {
        self.namespace.enter(|| dataplane::detach(self.pins.instance()).unwrap()).unwrap()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.namespace.enter(|| dataplane::detach(self.pins.instance()));
    }
}

pub fn interface(name: &str, backbone: bool) -> Interface {
    Interface { name: name.to_owned(), access: false, backbone, egress: true, attach: AttachMode::Auto }
}
