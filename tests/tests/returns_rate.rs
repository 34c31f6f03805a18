//! How fast answers are through the PoP, beside direct ones. Measures, and asserts nothing of what it measures.

use anycast_tests::{
    lab::{
        Lab, Topology,
        client::Iperf3,
        daemon::{Daemon, GatewayConfig, PopConfig},
        deployment::MIXES,
        returns::{GRE, GRE_KEYED, GUE, THROUGH_POP},
        server::Iperf3Server,
        topology::Family,
    },
    require_root,
};

/// Prints the rate of downloads through the PoP beside that of direct ones, in the same lab and in turns. Nothing is asserted
/// of it: run it alone, `cargo test -p anycast-tests --test returns_rate -- --ignored --nocapture`.
#[test]
#[ignore = "measures, on a machine that does nothing else"]
fn rate_of_downloads_through_the_pop_and_direct() {
    require_root!();
    for (encap, lines) in [("ipip", ""), ("gre", GRE), ("gre with a key", GRE_KEYED), ("gue", GUE)] {
        let services = |config: PopConfig, lab: &Lab| {
            MIXES.iter().enumerate().fold(config, |config, (number, mix)| {
                let config = config.every_vip(if number % 2 == 0 { THROUGH_POP } else { "" });
                config.pool_with(mix.name, &[lab.home_address(Family::V4)], lines).vip(mix.name, mix.vip, mix.name)
            })
        };
        let topology = Topology::pop_and_home();
        let lab = topology.build().unwrap();
        let keys = if lines == GRE_KEYED { "gre_keys = [305419896]\n" } else { "" };
        let mut gateway = GatewayConfig::new(&lab).gateway_lines(keys);
        for (number, mix) in MIXES.iter().enumerate() {
            lab.home.add_loopback_address(mix.vip).unwrap();
            gateway = gateway.every_vip(if number % 2 == 0 { THROUGH_POP } else { "" }).vip(mix.name, mix.vip);
        }
        let _gateway = Daemon::start(&lab.home, &lab.scratch, gateway.instance(), gateway.text()).unwrap();
        let config = services(PopConfig::new(&lab, lab.site(), "pop0"), &lab);
        let _pop = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
        for (family, through, direct) in [("IPv4", MIXES[0], MIXES[1]), ("IPv6", MIXES[2], MIXES[3])] {
            let mut rates = [Vec::new(), Vec::new()];
            for _ in 0..5 {
                for (mix, rates) in [through, direct].into_iter().zip(&mut rates) {
                    let _server = Iperf3Server::start(&lab.home, lab.scratch.path(), mix.vip).unwrap();
                    let run = Iperf3::new(&lab.site().client, mix.vip).reverse().secs(2).run().unwrap();
                    rates.push(run.rate_bits_per_sec / 1e9);
                }
            }
            let [through, direct] = rates.map(|mut rates| {
                rates.sort_by(f64::total_cmp);
                rates[2]
            });
            println!(
                "{encap} {family}: {through:.2} Gbit/s through the PoP, {direct:.2} direct, {:.2}",
                through / direct
            );
        }
    }
}
