//! What BFD told all routers.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anyhow::Result;

use super::{super::routing::BfdPeer, World};

/// No session comes back so soon, and no clock is set so far in a test: BIRD reckons from now when one came up.
const SAME_MOMENT: Duration = Duration::from_millis(50);

/// All BFD sessions, by router and neighbour, and what tells one that went down meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BfdSessions(BTreeMap<(String, IpAddr), BfdPeer>);

impl BfdSessions {
    /// Those that are not what they were, or are not up: router and neighbour.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let is_changed = |(peer, now): &(&_, &BfdPeer)| {
            !now.is_up || before.0.get(*peer).is_none_or(|before| !has_stayed_up(before, now))
        };
        let name = |((router, neighbour), _): (&(String, IpAddr), _)| format!("{router} to {neighbour}");
        self.0.iter().filter(is_changed).map(name).collect()
    }
}

fn has_stayed_up(before: &BfdPeer, now: &BfdPeer) -> bool {
    let is_same_moment = match (before.since, now.since) {
        (Some(before), Some(now)) => before.abs_diff(now) <= SAME_MOMENT,
        (before, now) => before == now,
    };
    before.is_up && before.downs == now.downs && is_same_moment
}

impl World {
    /// What all routers say of BFD now.
    pub fn bfd_sessions(&self) -> Result<BfdSessions> {
        let mut sessions = BTreeMap::new();
        for (router, name) in self.routers() {
            for peer in router.bfd_peers()? {
                sessions.insert((name.clone(), peer.address), peer);
            }
        }
        Ok(BfdSessions(sessions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(is_up: bool, downs: Option<u64>, since_ms: Option<u64>) -> BfdPeer {
        let address = IpAddr::from([10, 0, 0, 1]);
        BfdPeer { address, is_up, downs, since: since_ms.map(Duration::from_millis), detection_ms: 150 }
    }

    fn is_told(before: &BfdPeer, now: &BfdPeer) -> bool {
        let of = |peer: &BfdPeer| BfdSessions([(("border".to_owned(), peer.address), peer.clone())].into());
        !of(now).changed_since(&of(before)).is_empty()
    }

    #[test]
    fn session_that_went_down_is_told_and_a_clock_that_is_set_is_not() {
        let (frr, bird) = (peer(true, Some(1), None), peer(true, None, Some(5000)));
        assert!(!is_told(&frr, &frr) && !is_told(&bird, &peer(true, None, Some(4999))));
        assert!(is_told(&frr, &peer(true, Some(2), None)) && is_told(&frr, &peer(false, Some(1), None)));
        assert!(is_told(&bird, &peer(true, None, Some(5200))) && is_told(&bird, &peer(true, None, None)));
        assert!(is_told(&peer(false, None, Some(5000)), &bird));
    }
}
