//! Is the hash as good as a random one on the flows that a real `PoP` sees: neighbouring clients, neighbouring ports?
//!
//! Everything here is deterministic. Bounds are in standard deviations of the chi-square statistic: a random function
//! stays below 5 nearly always; without the final mixing step up to one seed in four goes far above it, some beyond 1000.

#![expect(clippy::cast_precision_loss, reason = "counts of flows are far below 2^52")]

use std::{boxed::Box, vec, vec::Vec};

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::map::PoolDescriptor;

const VIP: [u8; 4] = [10, 200, 1, 1];
const TCP: u8 = 6;
const SEEDS: u8 = 20;

fn key(seed: u8) -> FlowKey {
    FlowKey::from_seed(&[seed; 16])
}

fn slot(size: u32, hash: u64) -> usize {
    PoolDescriptor { offset: 0, size, flags: 0 }.slot(hash) as usize
}

fn ports(source: u16) -> Transport {
    let [high, low] = source.to_be_bytes();
    Transport { ports: [high, low, 0, 80], protocol: TCP }
}

/// Hash of the n-th flow of a kind.
type Flows = fn(&FlowKey, u32) -> u64;

fn neighbouring_clients_by_address(key: &FlowKey, n: u32) -> u64 {
    hash_v4(key, (0x0a00_0000 + n).to_be_bytes(), VIP, Transport::default())
}

fn neighbouring_clients_by_flow(key: &FlowKey, n: u32) -> u64 {
    hash_v4(key, (0x0a00_0000 + n).to_be_bytes(), VIP, ports(40_000))
}

fn first_clients_of_neighbouring_networks(key: &FlowKey, n: u32) -> u64 {
    hash_v4(key, (0x0a00_0001 + (n << 8)).to_be_bytes(), VIP, Transport::default())
}

fn neighbouring_ports(key: &FlowKey, n: u32) -> u64 {
    hash_v4(key, [10, 0, 0, 1], VIP, ports(n as u16))
}

/// Linux hands out even source ports to `connect`.
fn even_ports(key: &FlowKey, n: u32) -> u64 {
    hash_v4(key, [10, 0, 0, 1], VIP, ports((n * 2) as u16))
}

const VIP_V6: [[u8; 4]; 4] = [[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 0, 1]];

fn neighbouring_v6_clients(key: &FlowKey, n: u32) -> u64 {
    hash_v6(key, [[0x20, 1, 0xd, 0xb8], [0, 1, 0, 0], [0; 4], n.to_be_bytes()], VIP_V6, Transport::default())
}

fn neighbouring_v6_networks(key: &FlowKey, n: u32) -> u64 {
    hash_v6(key, [[0x20, 1, 0xd, 0xb8], n.to_be_bytes(), [0; 4], [0, 0, 0, 1]], VIP_V6, ports(40_000))
}

fn neighbouring_v6_ports(key: &FlowKey, n: u32) -> u64 {
    hash_v6(key, [[0x20, 1, 0xd, 0xb8], [0, 1, 0, 0], [0; 4], [0, 0, 0, 1]], VIP_V6, ports(n as u16))
}

/// How far the counts are from what equal odds give, in standard deviations of the statistic.
fn deviation(counts: &[u32]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    let freedom = counts.len() as f64 - 1.0;
    (chi_square - freedom) / (2.0 * freedom).sqrt()
}

/// The worst deviation over all seeds, of `count` flows sorted into `cells`.
fn worst(flows: Flows, count: u32, cells: usize, cell_of: impl Fn(u64) -> usize) -> f64 {
    let deviation_of = |seed| {
        let key = key(seed);
        let mut counts = vec![0; cells];
        for n in 0..count {
            counts[cell_of(flows(&key, n))] += 1;
        }
        deviation(&counts)
    };
    (1..=SEEDS).map(deviation_of).fold(f64::MIN, f64::max)
}

#[rstest]
#[case(neighbouring_clients_by_address)]
#[case(neighbouring_clients_by_flow)]
#[case(first_clients_of_neighbouring_networks)]
#[case(neighbouring_ports)]
#[case(even_ports)]
#[case(neighbouring_v6_clients)]
#[case(neighbouring_v6_networks)]
#[case(neighbouring_v6_ports)]
fn slots_and_next_hop_picks_are_as_even_as_chance(#[case] flows: Flows) {
    for (size, count) in [(251, 256), (251, 16_384), (10_007, 32_768)] {
        let worst = worst(flows, count, size as usize, |hash| slot(size, hash));
        assert!(worst < 5.0, "{count} flows over {size} slots: {worst}");
    }
    let worst_pick = worst(flows, 32_768, 16, |hash| (hash & 15) as usize);
    assert!(worst_pick < 5.0, "next-hop picks: {worst_pick}");
    // Both at once: were the pick not independent of the slot, some of the 251 × 16 pairs would be rare.
    let worst_pair = worst(flows, 32_768, 251 * 16, |hash| slot(251, hash) * 16 + (hash & 15) as usize);
    assert!(worst_pair < 5.0, "slot and next-hop pick: {worst_pair}");
}

#[test]
fn seeds_give_unrelated_slots() {
    // Two keys agree on the slot of a flow as often as chance has it: 1 in 251.
    let agreeing = |a: &FlowKey, b: &FlowKey| {
        (0..25_100).filter(|n| slot(251, neighbouring_ports(a, *n)) == slot(251, neighbouring_ports(b, *n))).count()
    };
    for seed in 1..SEEDS {
        let agreeing = agreeing(&key(seed), &key(seed + 1));
        assert!((50..=150).contains(&agreeing), "seed {seed}: {agreeing} of 25,100");
    }
}

/// One bit of a flow, by number, turned over.
fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn every_bit_of_a_v4_flow_matters(seed: [u8; 16], flow: [u8; 13], bit in 0..13_usize * 8) {
        let hash = |flow: [u8; 13]| {
            let [a, b, c, d, e, f, g, h, i, j, k, l, protocol] = flow;
            hash_v4(&FlowKey::from_seed(&seed), [a, b, c, d], [e, f, g, h], Transport { ports: [i, j, k, l], protocol })
        };
        let mut other = flow;
        flip(&mut other, bit);
        prop_assert_ne!(hash(flow), hash(other));
    }

    #[test]
    fn every_bit_of_a_v6_flow_matters(
        seed: [u8; 16], flow in proptest::collection::vec(any::<u8>(), 37), bit in 0..37_usize * 8,
    ) {
        let hash = |flow: &[u8]| {
            let words: Vec<[u8; 4]> = flow[..36].chunks(4).map(|word| word.try_into().unwrap()).collect();
            let (source, rest) = words.split_first_chunk::<4>().unwrap();
            let (destination, rest) = rest.split_first_chunk::<4>().unwrap();
            let transport = Transport { ports: rest[0], protocol: flow[36] };
            hash_v6(&FlowKey::from_seed(&seed), *source, *destination, transport)
        };
        let mut other: Box<[u8]> = flow.clone().into();
        flip(&mut other, bit);
        prop_assert_ne!(hash(&flow), hash(&other));
    }
}

#[test]
fn swapping_source_and_destination_is_another_flow() {
    let (a, b) = ([192, 0, 2, 1], [198, 51, 100, 1]);
    assert_ne!(hash_v4(&key(1), a, b, Transport::default()), hash_v4(&key(1), b, a, Transport::default()));
}

#[test]
fn flow_label_is_bits_4_to_24() {
    assert_eq!(flow_label(0xffff_ffff_ff12_345f), 0x1_2345);
    assert_eq!(flow_label(0xf), 0);
}
