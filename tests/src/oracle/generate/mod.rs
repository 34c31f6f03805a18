//! Tables and packets at random, biased toward the edges that routers get wrong.
//!
//! Everything follows from a seed and a number, so one case is made again without those before it. The generator is
//! `fastrand`: it is seedable, small, in the dependency tree already, and its sequence is fixed by `Cargo.lock`;
//! nothing here needs more. Bytes are put together here rather than with [`crate::packet`], which builds what a test
//! means; these packets mean nothing, and half of them are broken at a random place.

mod address;
mod ip;
mod mutate;
mod syn;
mod tables;
mod to_backbone;
mod to_client;
mod to_gateway;
mod to_pop;
mod transport;

use fastrand::Rng;

use super::{
    kernel::LINEAR_BYTES,
    model::{Buffer, Input, Mark, Program},
    tables::{PopTables, Tables},
};

/// An interface that frames can come in by and leave by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Kernel interface index.
    pub ifindex: u32,
    /// Its address.
    pub mac: [u8; 6],
}

/// What may be asked of a subject.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// [`Input::headroom`] may be false.
    pub withhold_headroom: bool,
    /// [`Input::linear_bytes`] may be anything.
    pub shorten_linear: bool,
    /// [`Buffer::is_of_stack`] may be true.
    pub make_buffers: bool,
}

/// Longest frame: 1500 bytes and an Ethernet header.
const FRAME_BYTES_MAX: usize = 1514;
/// The same where frames may have fragments: 9000 bytes, two tags, and a little more.
const JUMBO_FRAME_BYTES_MAX: usize = 9040;
/// Shortest frame: a test run takes no less.
const FRAME_BYTES_MIN: usize = 14;

/// The tables with this number.
pub fn tables(seed: u64, number: u64, interfaces: &[Interface]) -> Tables {
    tables::random(&mut rng(seed, number, 1), interfaces)
}

/// The packet with this number, for these tables. With [`Abilities`], some leave no room for an outer header, and some have
/// headers beyond the linear part.
pub fn input(seed: u64, number: u64, tables: &Tables, interfaces: &[Interface], abilities: Abilities) -> Input {
    let rng = &mut rng(seed, number, 2);
    let program = match rng.u8(0..100) {
        0..41 => Program::Pop,
        41..46 => Program::Probe,
        46..66 => Program::Gateway,
        66..81 => Program::Backbone,
        81..86 => Program::OneArm,
        _ => Program::GatewayReturn,
    };
    let ingress_ifindex = interfaces[rng.usize(..interfaces.len())].ifindex;
    if program == Program::GatewayReturn {
        return to_client::input(rng, &tables.gateway, ingress_ifindex, abilities);
    }
    let linear_bytes = (one_in(rng, 6) && program != Program::Probe).then(|| linear_bytes(rng, abilities));
    let mark = (program == Program::Probe && !one_in(rng, 6)).then(|| mark(rng, &tables.pop));
    let is_jumbo = linear_bytes.is_some() && one_in(rng, 4);
    let more_bytes = if is_jumbo { rng.usize(..JUMBO_FRAME_BYTES_MAX) } else { 0 };
    let is_answer = program == Program::Backbone && !one_in(rng, 20) || program == Program::OneArm && rng.bool();
    let packet = match program {
        Program::Gateway => to_gateway::packet(rng, &tables.gateway, more_bytes),
        _ if is_answer => to_backbone::packet(rng, &tables.pop, more_bytes),
        Program::Pop | Program::Probe | Program::Backbone | Program::OneArm | Program::GatewayReturn => {
            to_pop::packet(rng, &tables.pop, program == Program::Probe, more_bytes)
        }
    };
    let mut frame = mutate::frame(rng, packet);
    frame.truncate(if is_jumbo { JUMBO_FRAME_BYTES_MAX } else { FRAME_BYTES_MAX });
    frame.resize(frame.len().max(FRAME_BYTES_MIN), 0);
    let withholds_headroom = matches!(program, Program::Pop | Program::Probe | Program::OneArm) && one_in(rng, 50);
    let headroom = !(withholds_headroom && abilities.withhold_headroom);
    Input { program, ingress_ifindex, headroom, linear_bytes, mark, buffer: Buffer::default(), frame }
}

/// Mostly that of a backend.
fn mark(rng: &mut Rng, tables: &PopTables) -> Mark {
    if one_in(rng, 20) {
        return Mark::Nobody(pick(rng, &[0, 640, 0x00ff_ffff]));
    }
    let pool = rng.usize(..tables.pools.len());
    Mark::Of(pool, rng.usize(..tables.pools[pool].backends.len()))
}

/// Within headers where that can be, else as many as there are.
fn linear_bytes(rng: &mut Rng, abilities: Abilities) -> usize {
    match () {
        () if !abilities.shorten_linear || rng.bool() => LINEAR_BYTES,
        () if !one_in(rng, 4) => rng.usize(FRAME_BYTES_MIN..256),
        // Around the end of the fixed IP header, untagged or tagged.
        () => FRAME_BYTES_MIN + pick(rng, &[20, 40]) + pick(rng, &[0, 4, 8]) + rng.usize(..16),
    }
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
