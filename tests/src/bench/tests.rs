//! That the harness finds out programs that do not do their job.

use anyhow::Result;

use super::{
    addresses as at,
    feed::{Feed, Flows},
    floors::Floors,
    target::{Action, Target},
    world::World,
    wrapper::{Mode, Wrapper},
};
use crate::packet::Packet;

const PACKETS: u32 = 1000;

/// Runs a target in a world of its own.
fn run(target: impl FnOnce(&Floors) -> Result<Target>, feed: Feed) -> Result<Vec<f64>> {
    let world = World::enter()?;
    let floors = Floors::load(&world)?;
    Wrapper::load(target(&floors)?, feed, Mode::Loop, world.access.near.ifindex, PACKETS / 10)?.run(PACKETS)
}

fn tcp(destination: &str) -> Feed {
    Feed::new(Packet::from_to(at::CLIENT_V4, destination).tcp(31337, at::PORT).pad_to(64).build())
}

fn message(result: Result<Vec<f64>>) -> String {
    result.map_or_else(|error| format!("{error:#}"), |samples| format!("{samples:?}"))
}

#[test]
fn program_that_encapsulates_every_packet_gives_a_sample_for_each_chunk() {
    crate::require_root!();
    let samples = run(|floors| floors.encap(20), tcp(at::VIP_V4).flows(Flows::New));
    assert!(matches!(&samples, Ok(samples) if samples.len() == 9), "{samples:?}");
}

#[test]
fn program_that_passes_what_it_should_encapsulate_is_found_out() {
    crate::require_root!();
    let message = message(run(|floors| floors.encap(20), tcp(at::NO_VIP_V4)));
    assert!(message.contains("it gave PASS and grew the frame by 0 bytes, instead of TX and 20"), "{message}");
}

#[test]
fn program_that_encapsulates_some_packets_only_is_found_out() {
    crate::require_root!();
    // Of two destinations one is the VIP, so about half of the packets grow, the last one perhaps among them.
    let target = |floors: &Floors| Ok(Target { handled: None, ..floors.encap(20)? });
    let half = message(run(target, tcp(at::VIP_V4).destinations(2)));
    assert!(half.contains("in all instead of 19980") || half.contains("it gave PASS"), "{half}");
}

#[test]
fn program_that_counts_less_than_it_was_given_is_found_out() {
    crate::require_root!();
    let counts_nothing = |floors: &Floors| {
        let handled: super::target::Handled = std::rc::Rc::new(|| Ok(7));
        Ok(Target { handled: Some(handled), ..floors.pass()? })
    };
    let message = message(run(counts_nothing, tcp(at::NO_VIP_V4)));
    assert!(message.contains("counts 0 that it treated as it should"), "{message}");
}

#[test]
fn live_frames_that_are_not_encapsulated_do_not_pass_for_arrived() -> Result<()> {
    if !crate::lab::is_root() {
        println!("SKIPPED live_frames_that_are_not_encapsulated_do_not_pass_for_arrived: needs root");
        return Ok(());
    }
    let world = World::enter()?;
    let floors = Floors::load(&world)?;
    let ifindex = world.access.near.ifindex;
    let before = floors.arrived()?;
    let sent_back = Target { name: "floor_lookup", verdict: Action::Tx, ..floors.lookup()? };
    let feed = tcp(&at::MANY_FIRST_V4.to_string());
    Wrapper::load(sent_back, feed, Mode::Live, ifindex, PACKETS / 10)?.run(PACKETS)?;
    let after = floors.arrived()?;
    assert_eq!((after.total - before.total, after.encapsulated - before.encapsulated), (u64::from(PACKETS), 0));
    Ok(())
}
