//! Sixteen places for the hops of a route, by weight.

use crate::netlink::Hop;

/// Which hop (position in `hops`) each of the 16 places goes to. Places of hops that are not usable are given to the
/// usable ones; the others keep theirs, so losing a router moves only its own flows. `None`: no hop is usable.
pub fn places(hops: &[Hop], usable: &[bool]) -> Option<[usize; 16]> {
    if !usable.contains(&true) {
        return None;
    }
    let everyone = vec![true; hops.len()];
    let mut places = spread(hops, &everyone, 16).into_iter();
    let mut places: [usize; 16] = std::array::from_fn(|_| places.next().unwrap_or(0));
    let orphans = places.iter().filter(|hop| !usable[**hop]).count();
    let mut heirs = spread(hops, usable, orphans).into_iter();
    for place in places.iter_mut().filter(|hop| !usable[**hop]) {
        *place = heirs.next()?;
    }
    Some(places)
}

/// `count` places in turns: each goes to the candidate that is furthest below its share.
fn spread(hops: &[Hop], candidates: &[bool], count: usize) -> Vec<usize> {
    let weight = |hop: usize| if candidates[hop] { u64::from(hops[hop].weight.max(1)) } else { 0 };
    let mut given = vec![0u64; hops.len()];
    (0..count)
        .filter_map(|_| {
            // The least (given + 1) / weight, compared crosswise; the first of equals.
            let next = (0..hops.len()).filter(|hop| candidates[*hop]).min_by(|left, right| {
                ((given[*left] + 1) * weight(*right)).cmp(&((given[*right] + 1) * weight(*left)))
            })?;
            given[next] += 1;
            Some(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn hops(weights: &[u16]) -> Vec<Hop> {
        let via = IpAddr::V4(Ipv4Addr::LOCALHOST);
        weights.iter().map(|weight| Hop { ifindex: 1, via, weight: *weight }).collect()
    }

    fn count(places: &[usize], hop: usize) -> usize {
        places.iter().filter(|place| **place == hop).count()
    }

    #[test]
    fn places_follow_the_weights() {
        let places = places(&hops(&[1, 3]), &[true, true]).expect("usable");
        assert_eq!((count(&places, 0), count(&places, 1)), (4, 12));
    }

    #[test]
    fn a_lost_hop_moves_only_its_own_places() {
        let hops = hops(&[1, 1, 1]);
        let before = places(&hops, &[true, true, true]).expect("usable");
        let after = places(&hops, &[true, false, true]).expect("usable");
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == 1);
            assert_ne!(*after, 1);
        }
    }

    #[test]
    fn no_usable_hop_is_no_place() {
        assert_eq!(places(&hops(&[1, 1]), &[false, false]), None);
        assert_eq!(places(&[], &[]), None);
    }
}
