//! What players see while something happens.

use std::{thread::sleep, time::Duration};

use anyhow::Result;

use super::{
    super::{
        players::{Players, Seen},
        topology::Family,
    },
    VIPS, World,
    plan::{ACCESS, REGIONS},
};

/// All is well for so long before something happens.
const BEFORE: Duration = Duration::from_millis(800);

/// What the players of one AS saw.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// Of the VIPs, in the order of [`VIPS`].
    pub vips: [Seen; 2],
    /// Of the own address of a home host, for those who have a way there.
    pub home: Option<Seen>,
}

impl World {
    /// Lets players of every AS use every VIP, and the home region's own address, while `act` does something and for
    /// `after` from then on. What `act` gives is kept until then.
    pub fn observe<T>(
        &mut self,
        after: Duration,
        act: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(T, Vec<Observed>)> {
        let home = self.home_address(0, 0, Family::V4);
        let mut playing = Vec::new();
        for (plan, access) in ACCESS.iter().zip(&self.access) {
            let vips = VIPS.map(|(_, vip)| Players::start(&access.players, vip));
            let has_way = plan.carriers.contains(&REGIONS[0].exit.0);
            let home = has_way.then(|| Players::start(&access.players, home)).transpose()?;
            playing.push((vips, home));
        }
        sleep(BEFORE);
        let kept = act(self)?;
        sleep(after);
        // All at once: what has ended for one must not go on for the next one.
        let stop = |(vips, home): ([Result<Players>; 2], Option<Players>)| {
            let [first, second] = vips;
            Ok(Observed { vips: [first?.stop()?, second?.stop()?], home: home.map(Players::stop).transpose()? })
        };
        for (vips, home) in &playing {
            vips.iter().flatten().chain(home).for_each(Players::end);
        }
        Ok((kept, playing.into_iter().map(stop).collect::<Result<_>>()?))
    }
}
