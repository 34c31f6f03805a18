//! Ten thousand VIPs come and go within seconds.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use anycast_tests::{
    lab::{
        Namespace, Topology,
        controlled::{Controlled, ServicesFile},
        topology::Family,
        wait::wait_for,
    },
    require_root,
};

use super::world::PUBLISH;

/// How many come and go.
pub const VIPS: u32 = 10_000;
/// Prefixes of all of them.
pub const PREFIXES: [&str; 2] = ["198.18.0.0/15", "2001:db8:5000::/48"];
/// For the daemon and all; what the routes alone take is in its log.
const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn ten_thousand_vips_have_routes_in_two_seconds() {
    require_root!();
    let many = Many::new();
    for (what, services, wanted) in many.changes() {
        let began = Instant::now();
        many.pop.api.apply(services).unwrap();
        let applied = began.elapsed();
        wait_for("routes", LIMIT, || (many.routes() == wanted).then_some(())).unwrap();
        let took = many.kernel_took();
        println!(
            "{VIPS} VIPs {what}: in the maps after {applied:?}, in routes {:?} after the request; the kernel took {took}",
            began.elapsed()
        );
        assert!(milliseconds(&took) < 2000.0, "{took}");
    }
}

/// A PoP host that publishes, and services with many VIPs.
pub struct Many {
    pub pop: Controlled,
    all: String,
    few: String,
}

impl Many {
    pub fn new() -> Self {
        let pop = Controlled::new(Topology::pop_and_home(), &[]).unwrap();
        let host = Controlled::host(&pop.lab).and(PUBLISH).and("\n[limits]\nvips = 20000\n");
        pop.pop.reload(host.text()).unwrap();
        let home = pop.lab.home_address(Family::V4);
        let mut services = ServicesFile::default().pool("home", &[(home, 1)]).text().to_owned();
        for (prefix, name) in PREFIXES.iter().zip(["many", "many-v6"]) {
            let _ = write!(services, "[[prefix]]\nname = \"{name}\"\nprefix = \"{prefix}\"\n");
        }
        let few = services.clone() + &vip(0) + &vip(1);
        let all = (0..VIPS).fold(services, |services, number| services + &vip(number));
        Self { pop, all, few }
    }

    /// All come, and all but two go: what happens, the services, and how many routes there are then: prefixes have one, too.
    pub fn changes(&self) -> [(&'static str, &str, usize); 2] {
        let prefixes = PREFIXES.len();
        [("come", &self.all, VIPS as usize + prefixes), ("go", &self.few, 2 + prefixes)]
    }

    /// Routes that the host publishes.
    pub fn routes(&self) -> usize {
        count_routes(&self.pop.lab.site().pop, "201")
    }

    /// What the kernel took for the last change, by the daemon's log.
    pub fn kernel_took(&self) -> String {
        let log = self.pop.pop.log();
        let line = log.lines().rfind(|line| line.contains("routes of VIPs")).unwrap();
        line.rsplit_once("took=").unwrap().1.trim().to_owned()
    }
}

/// Routes of a protocol, in both families.
pub fn count_routes(namespace: &Namespace, protocol: &str) -> usize {
    let of = |family: &str| namespace.ip(&format!("{family} -o route show proto {protocol}")).unwrap().lines().count();
    of("-4") + of("-6")
}

/// Every other one over IPv6.
fn vip(number: u32) -> String {
    let address: IpAddr = if number.is_multiple_of(2) {
        Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number).into()
    } else {
        let prefix: Ipv6Addr = "2001:db8:5000::".parse().unwrap();
        Ipv6Addr::from_bits(u128::from(prefix) + u128::from(number)).into()
    };
    format!("[[vip]]\nname = \"v{number}\"\naddress = \"{address}\"\npool = \"home\"\n")
}

/// `1.5s`, `20.1ms` or `300µs`.
fn milliseconds(written: &str) -> f64 {
    let units = [("ms", 1.0), ("µs", 0.001), ("ns", 0.000_001), ("s", 1000.0)];
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((written.strip_suffix(unit)?, factor))).unwrap();
    number.parse::<f64>().unwrap() * factor
}
