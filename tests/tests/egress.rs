//! A gateway's program for answers at the egress of its interfaces: attached, swapped, and taken away.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{path::Path, sync::Arc};

use anycast_tests::{
    lab::{Namespace, Topology, daemon::Daemon, deployment::Deployment},
    require_root,
};
use anycast_xdp::{
    dataplane::{
        self, attach,
        egress::{self, EgressHook, EgressProgram},
        generations::Target,
        interfaces::{interface_index, xdp},
        inventory::InterfaceRecord,
        loader,
        pins::Pins,
    },
    desired::{AttachMode, Config, GatewayRole, Interface, Limits, Local, Role, Services},
    objects,
};
use aya::{
    Ebpf, EbpfLoader,
    programs::{
        LinkOrder, SchedClassifier, TcAttachType,
        links::{FdLink, PinnedLink},
        tc::{NlOptions, TcAttachOptions},
    },
};

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

/// Somebody else's program at the egress of an interface, behind all others; gone on drop.
struct Foreign<'a> {
    program_id: u32,
    namespace: &'a Namespace,
    object: Option<Ebpf>,
}

impl Drop for Foreign<'_> {
    fn drop(&mut self) {
        // A filter is found by the index of its interface, which is another one elsewhere.
        let object = self.object.take();
        let _ = self.namespace.enter(move || drop(object));
    }
}

impl<'a> Foreign<'a> {
    fn attach(namespace: &'a Namespace, interface: &str, hook: EgressHook) -> Self {
        let options = || match hook {
            EgressHook::Tcx => TcAttachOptions::TcxOrder(LinkOrder::last()),
            // The priority of ours: whose filter it is, its handle and its name tell.
            EgressHook::Clsact => TcAttachOptions::Netlink(NlOptions { priority: 1, ..NlOptions::default() }),
        };
        let attach = || {
            let mut object = EbpfLoader::new().load(objects::DATAPATH).unwrap();
            let program: &mut SchedClassifier = object.program_mut(egress::PROGRAM).unwrap().try_into().unwrap();
            program.load().unwrap();
            program.attach_with_options(interface, TcAttachType::Egress, options()).unwrap();
            let program_id = program.info().unwrap().id();
            (program_id, object)
        };
        let (program_id, object) = namespace.enter(attach).unwrap();
        Self { program_id, namespace, object: Some(object) }
    }
}

fn programs(namespace: &Namespace, interface: &str) -> Vec<EgressProgram> {
    namespace.enter(|| egress::programs(interface).unwrap()).unwrap()
}

fn ids(programs: &[EgressProgram]) -> Vec<u32> {
    programs.iter().map(|program| program.program_id).collect()
}

/// Id of the link that is pinned for an interface.
fn link_id(pins: &Pins, interface: &str) -> u32 {
    FdLink::from(PinnedLink::from_pin(pins.egress_link(interface)).unwrap()).info().unwrap().id()
}

/// Hook, mode and id of the program at the egress of an interface, as `status` shows it.
fn shown(daemon: &Daemon, interface: &str) -> (String, String, u32) {
    let status = daemon.status().unwrap();
    let rows = status["attachments"].as_array().unwrap();
    let row = rows.iter().find(|row| row["interface"] == interface && row["program"] == egress::PROGRAM);
    let row = row.unwrap_or_else(|| panic!("{interface} is not in {status}"));
    let text = |field: &str| row[field].as_str().unwrap().to_owned();
    (text("hook"), text("mode"), row["program_id"].as_u64().unwrap() as u32)
}

#[test]
fn program_for_answers_stays_after_a_kill_and_is_swapped_at_a_restart() {
    require_root!();
    let mut deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let home = Arc::clone(&deployment.lab.home);
    let interface = deployment.lab.home_interfaces().remove(0);
    let hook = home.enter(|| EgressHook::of_kernel(&interface)).unwrap();
    let pins = Pins::of(deployment.gateway.instance());
    let own = ids(&programs(&home, &interface));
    assert_eq!(own.len(), 1);
    assert_eq!(shown(&deployment.gateway, &interface), (hook.label().to_owned(), "attached".to_owned(), own[0]));
    let text = deployment.gateway.run_cli(&["status"]).unwrap();
    assert!(text.contains(egress::PROGRAM) && text.contains(hook.label()), "{text}");

    let foreign = Foreign::attach(&home, &interface, hook);
    let link = (hook == EgressHook::Tcx).then(|| link_id(&pins, &interface));
    deployment.gateway.kill().unwrap();
    assert_eq!(shown(&deployment.gateway, &interface).2, own[0], "it is gone with the daemon");
    deployment.gateway.resume().unwrap();
    let after = ids(&programs(&home, &interface));
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(after.contains(&foreign.program_id) && !after.contains(&own[0]), "{after:?} after {own:?}");
    if let Some(link) = link {
        assert_eq!(link_id(&pins, &interface), link, "the link was made anew, and for a moment there was none");
        assert_eq!(after[1], foreign.program_id, "others come before it");
    }

    // An interface that comes and goes with the configuration.
    home.ip("link add spare0 type veth peer name spare1").unwrap();
    home.ip("link set spare0 up").unwrap();
    home.ip("link set spare1 up").unwrap();
    let config = std::fs::read_to_string(deployment.gateway.config_path()).unwrap();
    let more = format!("{config}\n[[interface]]\nname = \"spare0\"\nroles = [\"backbone\"]\nattach = \"generic\"\n");
    deployment.gateway.reload(&more).unwrap();
    assert_eq!(programs(&home, "spare0").len(), 1);
    deployment.gateway.reload(&config).unwrap();
    assert_eq!(programs(&home, "spare0"), []);
    assert_eq!(programs(&home, &interface).len(), 2);

    let Deployment { gateway, .. } = deployment;
    gateway.detach().unwrap();
    assert_eq!(ids(&programs(&home, &interface)), [foreign.program_id]);
}

#[test]
fn doctor_tells_of_another_program_and_of_a_missing_one() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let home = Arc::clone(&deployment.lab.home);
    let interface = deployment.lab.home_interfaces().remove(0);
    let codes = || {
        let config = deployment.gateway.config_path().to_str().unwrap();
        let mut command = home.command(anycast_tests::lab::daemon::daemon_binary());
        command.args(["doctor", "--config", config, "--output", "json"]);
        let output = command.output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let codes = report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap());
        codes.filter(|code| code.starts_with("egress_")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(codes(), [""; 0]);
    let hook = home.enter(|| EgressHook::of_kernel(&interface)).unwrap();
    let foreign = Foreign::attach(&home, &interface, hook);
    assert_eq!(codes(), ["egress_foreign"]);
    drop(foreign);
    match hook {
        EgressHook::Tcx => {
            std::fs::remove_file(Pins::of(deployment.gateway.instance()).egress_link(&interface)).unwrap();
        }
        EgressHook::Clsact => {
            let instance = deployment.gateway.instance();
            home.enter(|| egress::remove_own_filters(instance, |_| false).unwrap()).unwrap();
        }
    }
    anycast_tests::lab::wait::wait_for("the link to be gone", std::time::Duration::from_secs(5), || {
        programs(&home, &interface).is_empty().then_some(())
    })
    .unwrap();
    assert_eq!(shown(&deployment.gateway, &interface).1, "detached");
    assert_eq!(codes(), ["egress_detached"]);
}

/// A namespace with two veth pairs, and an instance in it.
struct Bare {
    namespace: Namespace,
    pins: Pins,
}

impl Bare {
    fn new(what: &str) -> Self {
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
    fn attach(&self, interfaces: &[Interface], hook: EgressHook) -> anyhow::Result<Vec<InterfaceRecord>> {
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
                control: anycast_xdp::desired::ControlFacts::default(),
            },
            services: Services { vips: Vec::new(), pools: Vec::new() },
        };
        let attach = || {
            let target = Target::choose(&self.pins, &LIMITS)?;
            let mut loaded = loader::load(Some(target.maps()), &LIMITS, None)?;
            attach::attach(&mut loaded, &self.pins, &config, |_| hook)
        };
        self.namespace.enter(attach).unwrap()
    }

    fn programs(&self, interface: &str) -> Vec<EgressProgram> {
        programs(&self.namespace, interface)
    }

    fn has_xdp(&self, interface: &str) -> bool {
        let state = || interface_index(interface).and_then(|index| xdp(index).unwrap());
        self.namespace.enter(state).unwrap().is_some()
    }

    fn detach(&self) -> bool {
        self.namespace.enter(|| dataplane::detach(self.pins.instance()).unwrap()).unwrap()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.namespace.enter(|| dataplane::detach(self.pins.instance()));
    }
}

fn interface(name: &str, backbone: bool) -> Interface {
    Interface { name: name.to_owned(), access: false, backbone, egress: true, attach: AttachMode::Auto }
}

#[test]
fn filter_of_clsact_is_replaced_in_place_and_others_are_left_alone() {
    require_root!();
    let bare = Bare::new("clsact");
    let both = [interface("eth0", true), interface("eth1.7", false)];
    let records = bare.attach(&both, EgressHook::Clsact).unwrap();
    assert!(records.iter().all(|record| record.egress == Some(EgressHook::Clsact)), "{records:?}");
    let first = bare.programs("eth0");
    assert_eq!(first.len(), 1, "it went with the process that attached it");
    let name = format!("{}:{}", egress::PROGRAM, bare.pins.instance());
    assert_eq!(first[0].name, name);

    let foreign = Foreign::attach(&bare.namespace, "eth0", EgressHook::Clsact);
    bare.attach(&both, EgressHook::Clsact).unwrap();
    let second = bare.programs("eth0");
    let own: Vec<_> = second.iter().filter(|program| program.name == name).collect();
    assert_eq!((second.len(), own.len()), (2, 1), "{second:?}");
    assert_ne!(own[0].program_id, first[0].program_id);
    let place = |program: &EgressProgram| program.filter.as_ref().map(|filter| (filter.priority, filter.handle));
    assert_eq!(place(own[0]), place(&first[0]));

    if bare.namespace.enter(|| EgressHook::of_kernel("eth0")).unwrap() == EgressHook::Tcx {
        // A kernel that has tcx takes over from one that had not; the other way round is a downgrade.
        for hook in [EgressHook::Tcx, EgressHook::Clsact] {
            bare.attach(&both, hook).unwrap();
            let programs = bare.programs("eth1.7");
            assert_eq!(programs.iter().map(EgressProgram::hook).collect::<Vec<_>>(), [hook]);
        }
    }

    bare.attach(&both[1..], EgressHook::Clsact).unwrap();
    assert_eq!(ids(&bare.programs("eth0")), [foreign.program_id]);
    assert!(!bare.has_xdp("eth0"));
    assert_eq!(bare.programs("eth1.7").len(), 1);
    assert!(bare.detach());
    assert_eq!(bare.programs("eth1.7"), []);
    assert_eq!(ids(&bare.programs("eth0")), [foreign.program_id]);
}

#[test]
fn interface_that_only_answers_leave_by_gets_no_xdp_program() {
    require_root!();
    let bare = Bare::new("egress");
    let hook = bare.namespace.enter(|| EgressHook::of_kernel("eth0")).unwrap();
    bare.attach(&[interface("eth0", true), interface("eth1.7", true)], hook).unwrap();
    assert!(bare.has_xdp("eth1.7"));
    let records = bare.attach(&[interface("eth0", true), interface("eth1.7", false)], hook).unwrap();
    assert_eq!((&records[1].program, records[1].egress), (&None, Some(hook)));
    assert_eq!((bare.programs("eth0").len(), bare.programs("eth1.7").len()), (1, 1));
    anycast_tests::lab::wait::wait_for("XDP to be gone", std::time::Duration::from_secs(5), || {
        (!bare.has_xdp("eth1.7")).then_some(())
    })
    .unwrap();
}

#[test]
fn failed_start_leaves_nothing_at_the_egress_that_was_not_there() {
    require_root!();
    for hook in [EgressHook::Clsact, EgressHook::Tcx] {
        let bare = Bare::new("failed");
        if hook == EgressHook::Tcx && bare.namespace.enter(|| EgressHook::of_kernel("eth0")).unwrap() != EgressHook::Tcx
        {
            continue;
        }
        bare.attach(&[interface("eth0", true)], hook).unwrap();
        let missing = [interface("eth0", true), interface("eth1.7", false), interface("eth9", false)];
        let error = format!("{:#}", bare.attach(&missing, hook).unwrap_err());
        assert!(error.contains("eth9"), "{error}");
        assert_eq!(bare.programs("eth0").len(), 1);
        anycast_tests::lab::wait::wait_for("the egress to be free", std::time::Duration::from_secs(5), || {
            bare.programs("eth1.7").is_empty().then_some(())
        })
        .unwrap();
    }
}

#[test]
fn filter_is_taken_away_by_detach_when_everything_else_of_the_instance_is_gone() {
    require_root!();
    let bare = Bare::new("orphan");
    bare.attach(&[interface("eth0", false)], EgressHook::Clsact).unwrap();
    remove(bare.pins.root());
    remove(bare.pins.run());
    assert!(!bare.pins.exist());
    // It is not another instance's.
    assert!(!bare.namespace.enter(|| dataplane::detach("unit-test-never-was").unwrap()).unwrap());
    assert_eq!(bare.programs("eth0").len(), 1);
    assert!(bare.detach());
    assert_eq!(bare.programs("eth0"), []);
    assert!(!bare.detach());
}

/// Removes a directory and all in it, of bpffs too.
fn remove(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if std::fs::symlink_metadata(&path).unwrap().is_dir() {
            remove(&path);
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::remove_dir(directory).unwrap();
}

#[test]
fn qdisc_in_the_place_of_clsact_is_a_clear_error() {
    require_root!();
    let bare = Bare::new("ingress");
    bare.namespace.run("tc qdisc add dev eth0 ingress").unwrap();
    let error = bare.attach(&[interface("eth0", false)], EgressHook::Clsact).unwrap_err();
    assert!(format!("{error:#}").contains("tc qdisc del dev ... ingress"), "{error:#}");
}
