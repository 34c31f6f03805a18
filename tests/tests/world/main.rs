//! A small Internet with real BGP: what the configurations of `packaging/bgp` make of it, and what players see when parts
//! of it fail.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![expect(clippy::print_stdout, reason = "measurements are for whoever asked for them")]

mod bgp;
mod failures;
mod load;
mod results;
mod upkeep;
mod withdrawn;

use anycast_tests::{lab::world::World, require_root};

/// One world for both: it takes a while to become whole.
#[test]
fn configurations_do_what_they_say_and_upkeep_is_not_seen() {
    require_root!();
    let with_configurations = results::is_wanted("configurations");
    if !with_configurations && !upkeep::is_wanted() {
        return;
    }
    let mut world = World::build().unwrap();
    if with_configurations {
        bgp::hosts_borders_and_carriers_know_what_they_should(&world);
    }
    upkeep::upkeep_loses_no_packet_and_breaks_no_connection(&mut world);
}
