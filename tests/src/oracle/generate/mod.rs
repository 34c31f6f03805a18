//! Tables and packets at random, biased toward the edges that routers get wrong.
//!
//! Everything follows from a seed and a number, so one case is made again without those before it. The generator is
//! `fastrand`: it is seedable, small, in the dependency tree already, and its sequence is fixed by `Cargo.lock`;
//! nothing here needs more. Bytes are put together here rather than with [`crate::packet`], which builds what a test
//! means; these packets mean nothing, and half of them are broken at a random place.

mod address;
mod ip;
mod mutate;
mod tables;
mod to_gateway;
mod to_pop;
mod transport;

use fastrand::Rng;

use super::{
    model::{Input, Program},
    tables::Tables,
};

/// An interface that frames can come in by and leave by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Kernel interface index.
    pub ifindex: u32,
    /// Its address.
    pub mac: [u8; 6],
}

/// Longest frame: 1500 bytes and an Ethernet header.
const FRAME_BYTES_MAX: usize = 1514;
/// Shortest frame: a test run takes no less.
const FRAME_BYTES_MIN: usize = 14;

/// The tables with this number.
pub fn tables(seed: u64, number: u64, interfaces: &[Interface]) -> Tables {
    tables::random(&mut rng(seed, number, 1), interfaces)
}

/// The packet with this number, for these tables. With `can_withhold_headroom`, some leave no room for an outer header.
pub fn input(seed: u64, number: u64, tables: &Tables, interfaces: &[Interface], can_withhold_headroom: bool) -> Input {
    let rng = &mut rng(seed, number, 2);
    let program = match rng.u8(0..100) {
        0..68 => Program::Pop,
        68..98 => Program::Gateway,
        _ => Program::Backbone,
    };
    let packet = match program {
        Program::Pop | Program::Backbone => to_pop::packet(rng, &tables.pop),
        Program::Gateway => to_gateway::packet(rng, &tables.gateway),
    };
    let mut frame = mutate::frame(rng, packet);
    frame.truncate(FRAME_BYTES_MAX);
    frame.resize(frame.len().max(FRAME_BYTES_MIN), 0);
    let withholds_headroom = program == Program::Pop && one_in(rng, 50);
    let ingress = interfaces[rng.usize(..interfaces.len())];
    let headroom = !(withholds_headroom && can_withhold_headroom);
    Input { program, ingress_ifindex: ingress.ifindex, headroom, frame }
}

/// Independent streams for tables and packets.
fn rng(seed: u64, number: u64, stream: u64) -> Rng {
    let mut root = Rng::with_seed(seed);
    let key = root.u64(..) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.rotate_right(8);
    Rng::with_seed(key)
}

fn one_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes
}
