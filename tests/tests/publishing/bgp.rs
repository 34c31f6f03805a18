//! Ten thousand VIPs, as the border of the PoP learns of them: by the configurations of `packaging/bgp`: FRR's on
//! the border, and either one's on the host.

use std::time::{Duration, Instant};

use anycast_tests::{
    lab::{
        routing::{Frr, Role, Router, Software, Values},
        wait::wait_for,
    },
    require_root,
};

use super::many::{Many, PREFIXES, VIPS, count_routes};

/// Both ends of the link between the PoP host and the transit router, which is the border of the PoP here.
const HOST: [&str; 2] = ["10.2.0.2", "fd00:2::2"];
const BORDER: [&str; 2] = ["10.2.0.1", "fd00:2::1"];
/// From the first route of the host's kernel to the last one by BGP, and in the border's kernel.
const LIMIT: Duration = Duration::from_secs(10);
/// When it is given up, and told how far it came.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn ten_thousand_vips_of_frr_are_known_to_the_border_in_ten_seconds() {
    require_root!();
    ten_thousand_vips_come_and_go(Software::Frr, host_values().set("HOSTNAME", "host"));
}

#[test]
fn ten_thousand_vips_of_bird_are_known_to_the_border_in_ten_seconds() {
    require_root!();
    ten_thousand_vips_come_and_go(Software::Bird, host_values());
}

#[expect(clippy::print_stdout, reason = "measurements are for whoever asked for them")]
fn ten_thousand_vips_come_and_go(host: Software, values: Values) {
    let many = Many::new();
    let Router::Frr(border) = start(&many, Software::Frr, Role::Border, border_values()) else { panic!("FRR") };
    let host = start(&many, host, Role::Host, values);
    host.wait_until_up().unwrap();
    for (what, services, wanted) in many.changes() {
        let [by_bgp, by_kernel] = measure(&many, &border, services, wanted);
        println!(
            "{VIPS} VIPs {what}: known to the border {by_bgp:?} after the first change, in its kernel after {by_kernel:?}; the \
             host's kernel took {}",
            many.kernel_took()
        );
        assert!(by_kernel < LIMIT, "{what}: {by_kernel:?}");
    }
}

/// Applies the services: from the first change of the host's kernel to the last one that the border knows of by BGP, and to
/// that of its kernel.
fn measure(many: &Many, border: &Frr, services: &str, wanted: usize) -> [Duration; 2] {
    let before = many.routes();
    std::thread::scope(|scope| {
        let applying = scope.spawn(|| many.pop.api.apply(services));
        let mut unchanged = Instant::now();
        let changed = || {
            let now = Instant::now();
            let is_changed = many.routes() != before;
            // Counting takes a while: from before the last look that saw nothing.
            let since = unchanged;
            unchanged = now;
            is_changed.then_some(since)
        };
        let first = wait_for("first change", PATIENCE, changed).unwrap();
        let until = |what: &str, count: &dyn Fn() -> usize| {
            wait_for(what, PATIENCE, || (count() == wanted).then(|| first.elapsed()))
                .unwrap_or_else(|error| panic!("{error}: {} of {wanted}", count()))
        };
        let by_bgp = until("routes by BGP", &|| received(border));
        let by_kernel = until("routes of the border", &|| count_routes(&many.pop.lab.site().transit, "bgp"));
        applying.join().unwrap().unwrap();
        [by_bgp, by_kernel]
    })
}

/// Routes that hosts have told and the border has taken.
fn received(border: &Frr) -> usize {
    let of = |family: &str| {
        let summary = border.json(&format!("show bgp {family} unicast summary")).unwrap();
        let peers = summary["peers"].as_object();
        peers.map_or(0, |peers| peers.values().filter_map(|peer| peer["pfxRcd"].as_u64()).sum())
    };
    (of("ipv4") + of("ipv6")) as usize
}

fn start(many: &Many, software: Software, role: Role, values: Values) -> Router {
    let site = many.pop.lab.site();
    let namespace = match role {
        Role::Host => &*site.pop,
        Role::Border => &site.transit,
    };
    let values = values.set("AS", 64_500).list("PREFIX_IPV4", [PREFIXES[0]]).list("PREFIX_IPV6", [PREFIXES[1]]);
    Router::of_pop(software, role, namespace, &many.pop.lab.scratch, &values).unwrap()
}

fn host_values() -> Values {
    Values::default().set("ROUTER_ID", HOST[0]).list("BORDER_IPV4", [BORDER[0]]).list("BORDER_IPV6", [BORDER[1]])
}

/// No carriers: what goes to them are two prefixes.
fn border_values() -> Values {
    let carriers = ["CARRIER_IPV4", "CARRIER_IPV6", "CARRIER_AS", "UPSTREAM_IPV4", "UPSTREAM_IPV6"];
    let values = carriers.into_iter().fold(Values::default(), |values, name| values.list(name, [""; 0]));
    values
        .set("HOSTNAME", "border")
        .set("ROUTER_ID", BORDER[0])
        .list("HOST_IPV4", [HOST[0]])
        .list("HOST_IPV6", [HOST[1]])
}
