//! Sixteen places for the hops of a route, by weight.

use std::cmp::Reverse;

use crate::netlink::Hop;

/// Most hops of one route that are used: a group has 16 positions, and one of them means "none".
const HOPS_MAX: usize = 15;

/// Which hop (position in `hops`) each of the 16 places goes to. Places of hops that are not usable are given to the
/// usable ones; the others keep theirs, so losing a router moves only its own flows. `None`: no hop is usable.
///
/// Of more than 15 hops the heaviest 15 are used, the first of equals; others only while none of these is usable.
pub fn places(hops: &[Hop], usable: &[bool]) -> Option<[usize; 16]> {
    let chosen = heaviest(hops, |_| true);
    let mut heirs: Vec<_> = (0..hops.len()).map(|hop| chosen[hop] && usable[hop]).collect();
    if !heirs.contains(&true) {
        heirs = heaviest(hops, |hop| usable[hop]);
    }
    let mut places = spread(hops, &chosen, 16).into_iter();
    let mut places: [usize; 16] = std::array::from_fn(|_| places.next().unwrap_or(0));
    let orphans = places.iter().filter(|hop| heirs.get(**hop) != Some(&true)).count();
    let mut heirs_places = spread(hops, &heirs, orphans).into_iter();
    for place in places.iter_mut().filter(|hop| heirs.get(**hop) != Some(&true)) {
        *place = heirs_places.next()?;
    }
    Some(places)
}

/// At most 15 of the candidates.
fn heaviest(hops: &[Hop], is_candidate: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut order: Vec<_> = (0..hops.len()).filter(|hop| is_candidate(*hop)).collect();
    order.sort_by_key(|hop| Reverse(hops[*hop].weight));
    let mut chosen = vec![false; hops.len()];
    for hop in order.into_iter().take(HOPS_MAX) {
        chosen[hop] = true;
    }
    chosen
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
    fn sixteen_equal_hops_use_fifteen_and_never_more() {
        let hops = hops(&[1; 16]);
        let mut usable = [true; 16];
        let before = places(&hops, &usable).expect("usable");
        assert!((0..15).all(|hop| count(&before, hop) >= 1) && count(&before, 15) == 0, "{before:?}");
        usable[3] = false;
        let after = places(&hops, &usable).expect("usable");
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || *before == 3), "{after:?}");
        assert_eq!(count(&after, 3), 0);
        // Only the one that was never chosen is left.
        let last: [bool; 16] = std::array::from_fn(|hop| hop == 15);
        assert_eq!(places(&hops, &last), Some([15; 16]));
    }

    #[test]
    fn heavy_hops_come_before_light_ones_where_not_all_find_a_place() {
        let mut weights = [1; 20];
        weights[19] = 5;
        let places = places(&hops(&weights), &[true; 20]).expect("usable");
        assert!(count(&places, 19) > 0, "{places:?}");
    }

    #[test]
    fn no_usable_hop_is_no_place() {
        assert_eq!(places(&hops(&[1, 1]), &[false, false]), None);
        assert_eq!(places(&[], &[]), None);
    }
}
