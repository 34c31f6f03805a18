//! What happens, in order.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::lab::{
    client::round_trip,
    topology::Family,
    world::{DRAIN_SIGNAL, Dark, Observed, VIPS, World, plan::ACCESS},
};

/// One thing that happens.
pub(super) struct Step {
    /// In a few words.
    pub what: &'static str,
    /// What is done to the world.
    pub how: &'static str,
    /// What players would see without anycast, where the lab does not measure it.
    pub otherwise: &'static str,
    act: Act,
    after: Duration,
}

/// A failure, which is repaired when it was told; or what an operator does.
enum Act {
    Fail(fn(&World) -> Result<Dark>),
    Drain { pop: usize },
}

/// The story.
pub(super) const STEPS: &[Step] = &[
    Step {
        what: "a carrier fails",
        how: "northnet drops every packet; its links stay up, nobody is told",
        otherwise: "measured above: whoever uses the home region's own address has no other way there",
        act: Act::Fail(|world| world.fail_carrier(0)),
        after: Duration::from_secs(4),
    },
    Step {
        what: "a host of a PoP dies",
        how: "one of the two hosts at beijing neither hears nor says anything any more",
        otherwise: "computed: its players are cut off until a health check has failed (30 s) and the TTL of its DNS record is over (60 s)",
        act: Act::Fail(|world| world.fail_host(0, 0)),
        after: Duration::from_secs(2),
    },
    Step {
        what: "a PoP dies",
        how: "everything at beijing is dark, its border router included",
        otherwise: "computed: as above, 90 s",
        act: Act::Fail(|world| world.fail_pop(0)),
        after: Duration::from_secs(2),
    },
    Step {
        what: "a PoP is drained for maintenance",
        how: "`anycast-xdp drain --pop` at beijing, and `undrain --pop` afterwards",
        otherwise: "computed: 60 s of waiting for the TTL of a DNS record; connections that are still there then break",
        act: Act::Drain { pop: 0 },
        after: DRAIN_SIGNAL.saturating_add(Duration::from_secs(2)),
    },
    Step {
        what: "a PoP loses its backbone",
        how: "nothing comes home from beijing any more, while its border and its carriers are well: it withdraws what it cannot serve",
        otherwise: "measured above: the home region's own address needs no backbone; a proxy at beijing: computed, as above, 90 s",
        act: Act::Fail(|world| world.fail_backbone(0)),
        after: Duration::from_secs(4),
    },
    Step {
        what: "a backend dies",
        how: "one of the two gateways at guangzhou is gone, and the connections that ended there with it",
        otherwise: "measured above: that address is that host's",
        act: Act::Fail(|world| world.fail_gateway(0, 0)),
        after: Duration::from_secs(4),
    },
    Step {
        what: "the home region dies",
        how: "all of guangzhou is gone; virginia takes over at the same address",
        otherwise: "measured above; with a record in DNS for both regions: computed, 90 s until it is changed and its TTL is over",
        act: Act::Fail(|world| world.fail_region(0)),
        after: Duration::from_secs(4),
    },
];

/// What players saw of a step.
pub(super) struct Told {
    pub observed: Vec<Observed>,
    /// Where each AS enters before and meanwhile.
    pub entries: Vec<[Option<usize>; 2]>,
    pub watched: Duration,
}

impl Step {
    /// Lets it happen and ends it.
    pub fn play(&self, world: &mut World) -> Result<Told> {
        let before = entry_pops(world)?;
        let (dark, observed) = world.observe(self.after, |world| match &self.act {
            Act::Fail(fail) => fail(world).map(Some),
            Act::Drain { pop } => world.pops[*pop].drain().map(|()| None),
        })?;
        let meanwhile = entry_pops(world)?;
        if let Some(dark) = dark {
            dark.end()?;
        }
        if let Act::Drain { pop } = self.act {
            world.pops[pop].undrain()?;
        }
        world.wait_until_settled().with_context(|| format!("after the end of: {}", self.what))?;
        let entries = before.into_iter().zip(meanwhile).map(|(before, meanwhile)| [before, meanwhile]).collect();
        Ok(Told { observed, entries, watched: self.after })
    }
}

fn entry_pops(world: &World) -> Result<Vec<Option<usize>>> {
    (0..ACCESS.len()).map(|access| world.entry(access, VIPS[0].1)).collect()
}

/// Where players enter while all is well, and how far it is.
pub(super) struct Entry {
    pub pop: Option<usize>,
    /// To the VIP and back.
    pub round_trip: Duration,
    /// To the home region's own address and back, for those who have a way there.
    pub home_round_trip: Option<Duration>,
}

/// All of them, in the order of the plan.
pub(super) fn entries(world: &World) -> Result<Vec<Entry>> {
    let home = world.home_address(0, 0, Family::V4);
    let entry = |(access, number): (&crate::lab::world::Access, usize)| {
        Ok(Entry {
            pop: world.entry(number, VIPS[0].1)?,
            round_trip: round_trip(&access.players, VIPS[0].1)?.context("an answer of the VIP")?,
            home_round_trip: round_trip(&access.players, home)?,
        })
    };
    world.access.iter().zip(0..).map(entry).collect()
}
