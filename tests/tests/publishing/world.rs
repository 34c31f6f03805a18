//! A PoP with three VIPs of two prefixes, one of them on a backend of its own.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    time::{Duration, Instant},
};

use anycast_tests::lab::{
    Lab, Namespace, Topology,
    daemon::{Daemon, PopConfig},
    process::Process,
    topology::{Family, VIP_PREFIXES, VIP_V4, VIP_V6},
    wait::wait_for,
};
use serde_json::Value;

/// How long what is seen by events may take; nothing is measured by it.
pub const SOON: Duration = Duration::from_secs(5);

/// The VIP on a backend of its own, and that backend.
pub const LONE_VIP: &str = "192.0.2.90";
const LONE_BACKEND: &str = "10.99.0.2";

/// Routes while all is well, and their metric.
pub const ALL: [&str; 5] =
    ["192.0.2.0/24 100", "192.0.2.80 100", "192.0.2.90 100", "2001:db8:80::/48 100", "2001:db8:80::80 100"];

/// These as a set.
pub fn set(routes: &[&str]) -> BTreeSet<String> {
    routes.iter().map(ToString::to_string).collect()
}

/// [`ALL`] without this one.
pub fn all_but(route: &str) -> BTreeSet<String> {
    let mut routes = set(&ALL);
    assert!(routes.remove(route), "{route}");
    routes
}

/// A lab, its PoP's daemon, and what became of its routes.
// Field order is drop order: processes before the namespaces that they are in.
pub struct World {
    pub pop: Daemon,
    pub lab: Lab,
}

/// `[publish]` of tests.
pub const PUBLISH: &str = "\n[publish]\nhold_down = \"2s\"\ndrain_signal = \"1s\"\n";

impl World {
    pub fn new() -> Self {
        Self::with(PUBLISH)
    }

    /// With this text of `[publish]`.
    pub fn with(publish: &str) -> Self {
        let lab = Topology::pop_and_home().build().unwrap();
        // The way to the lone backend is the one to the home host.
        let home = lab.site().pop.ip(&format!("route get {}", lab.home_address(Family::V4))).unwrap();
        let way = home.split_whitespace().skip_while(|word| *word != "via").take(4).collect::<Vec<_>>().join(" ");
        lab.site().pop.ip(&format!("route add {LONE_BACKEND}/32 {way} metric 10")).unwrap();
        let config = config(&lab).and(publish);
        let pop = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
        Self { pop, lab }
    }

    pub fn namespace(&self) -> &Namespace {
        &self.lab.site().pop
    }

    /// The lone backend loses its route, or has it again.
    pub fn lone_backend_is_reachable(&self, is_reachable: bool) {
        // Before its way: without that, the default route would be one.
        let word = if is_reachable { "del" } else { "add" };
        self.namespace().ip(&format!("route {word} unreachable {LONE_BACKEND}/32 metric 1")).unwrap();
    }

    /// The published routes that are there.
    pub fn routes(&self) -> BTreeSet<String> {
        routes(self.namespace())
    }

    /// Waits for these routes; how long it took.
    pub fn wait_for(&self, what: &str, wanted: &BTreeSet<String>) -> Duration {
        let began = Instant::now();
        let found = wait_for(what, SOON, || (self.routes() == *wanted).then_some(()));
        found.unwrap_or_else(|error| panic!("{error}: {:?} in place of {wanted:?}", self.routes()));
        began.elapsed()
    }

    /// `anycast-xdp publishing`.
    pub fn publishing(&self) -> Value {
        serde_json::from_str(&self.pop.run_cli(&["publishing", "--output", "json"]).unwrap()).unwrap()
    }

    /// State and reason of a VIP.
    pub fn vip(&self, name: &str) -> (String, String) {
        let publishing = self.publishing();
        let vips = publishing["vips"].as_array().unwrap();
        let vip = vips.iter().find(|vip| vip["name"] == name).unwrap();
        let text = |key: &str| vip[key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }

    /// Writes down every change of routes from now on.
    pub fn monitor(&self) -> Monitor {
        let log = self.lab.scratch.path().join("monitor.log");
        let _ = fs::remove_file(&log);
        let mut command = self.namespace().command("ip");
        command.args(["monitor", "route"]);
        let process = Process::start("ip monitor route", command, &log).unwrap();
        let monitor = Monitor { process };
        // It listens when it tells of a route that is made and taken away.
        wait_for("monitor", SOON, || {
            self.namespace().ip("route replace 203.0.113.77/32 dev lo").unwrap();
            self.namespace().ip("route del 203.0.113.77/32 dev lo").unwrap();
            monitor.process.log().contains("203.0.113.77").then_some(())
        })
        .unwrap();
        monitor
    }
}

/// `ip monitor route`.
pub struct Monitor {
    process: Process,
}

impl Monitor {
    /// Events of published routes: those that came, and those that went.
    pub fn changes(&self) -> (Vec<String>, Vec<String>) {
        let log = self.process.log();
        let own = log.lines().filter(|line| line.contains("dev axp0") && line.contains("proto 201"));
        let (gone, come): (Vec<_>, Vec<_>) = own.map(str::to_owned).partition(|line| line.starts_with("Deleted"));
        (come, gone)
    }
}

/// The services of the PoP, without `[publish]`.
pub fn config(lab: &Lab) -> PopConfig {
    let lone: IpAddr = LONE_VIP.parse().unwrap();
    PopConfig::new(lab, lab.site(), "pop0")
        .and(&format!(
            "\n[[prefix]]\nname = \"v4\"\nprefix = \"{}\"\n\n[[prefix]]\nname = \"v6\"\nprefix = \"{}\"\n",
            VIP_PREFIXES[0], VIP_PREFIXES[1]
        ))
        .pool("home", &[lab.home_address(Family::V4)])
        .pool("lone", &[LONE_BACKEND.parse().unwrap()])
        .vip("four", VIP_V4, "home")
        .vip("six", VIP_V6, "home")
        .vip("lone", lone, "lone")
}

/// The published routes of a namespace.
pub fn routes(namespace: &Namespace) -> BTreeSet<String> {
    let shown = ["-4", "-6"].map(|family| namespace.ip(&format!("{family} route show proto 201")).unwrap());
    let lines = shown.iter().flat_map(|text| text.lines()).map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let metric = words.iter().skip_while(|word| **word != "metric").nth(1).unwrap_or(&"none");
        assert!(line.contains("dev axp0"), "{line}");
        format!("{} {metric}", words[0])
    });
    lines.collect()
}
