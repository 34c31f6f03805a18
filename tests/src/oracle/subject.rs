//! What the model is compared with.

use std::collections::BTreeMap;

use anycast_common::map::Counter;

use super::{
    model::{CounterKey, Input},
    tables::{Path, Tables},
};

/// Counters that are not zero.
pub type Counters = BTreeMap<CounterKey, Counter>;

/// Something that treats packets as docs/datapath.md says, or claims to.
pub trait Subject {
    /// Makes these the tables. What counters say afterwards is where the next comparison begins.
    fn install(&mut self, tables: &Tables) -> anyhow::Result<()>;

    /// Can [`Input::headroom`] be false for it? Asked when tables are installed.
    fn can_withhold_headroom(&self) -> anyhow::Result<bool>;

    /// Can [`Input::linear_bytes`] be anything for it? Asked when tables are installed.
    fn can_shorten_linear(&self) -> anyhow::Result<bool>;

    /// Can [`Buffer::is_of_stack`](super::model::Buffer) be true for it? Asked when tables are installed.
    fn can_make_buffers(&self) -> bool;

    /// Gives it a packet: the number of the XDP action, and the frame afterwards.
    fn run(&mut self, input: &Input) -> anyhow::Result<(u32, Vec<u8>)>;

    /// One counter.
    fn counter(&self, key: CounterKey) -> anyhow::Result<Counter>;

    /// Every counter that is not zero.
    fn counters(&self) -> anyhow::Result<Counters>;

    /// The ways of clients that the gateway remembers after the last packet, in order.
    fn paths(&mut self) -> anyhow::Result<Vec<Path>>;
}
