//! The wire contract against `docs/hash-vectors.json`, which another implementation wrote (`docs/hash-reference.py`).
//!
//! A difference here means that `PoP`s of this version and of the last one send the same flow to different backends.
//! That needs a new `HASH_VERSION`, and never a new expectation under the old one.

#![expect(clippy::unwrap_used, reason = "a vector that cannot be read fails the test")]

use std::{hash::Hasher as _, net::IpAddr, sync::LazyLock};

use anycast_common::{
    HASH_VERSION,
    dial::{Share, split, taken},
    flow::{FlowKey, Transport, hash_v4, hash_v6},
    maglev::{Candidate, NOBODY, build, refill, table_size},
    map::{PoolDescriptor, v4_mapped},
};
use serde::Deserialize;
use siphasher::sip::SipHasher24;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    hash_version: u32,
    seed: String,
    key_words: Vec<String>,
    flows: Vec<Flow>,
    table_sizes: Vec<TableSize>,
    pools: Vec<Pool>,
    dials: Vec<Dial>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flow {
    name: String,
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    ports: Option<(u16, u16)>,
    hash: String,
    slots: Vec<Slot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    size: u32,
    slot: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSize {
    backends: usize,
    size: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pool {
    name: String,
    backends: Vec<Backend>,
    slots: Vec<Option<u32>>,
    refills: Vec<Refill>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    address: IpAddr,
    weight: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refill {
    down: Vec<usize>,
    slots: Vec<Option<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dial {
    name: String,
    pools: Vec<DialledPool>,
    first_buckets: Vec<Bucket>,
    counts: Vec<usize>,
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialledPool {
    name: String,
    percent: u8,
    slots: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bucket {
    pool: u32,
    slot: u32,
}

static VECTORS: LazyLock<Vectors> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../docs/hash-vectors.json")).unwrap());

fn seed() -> [u8; 16] {
    u128::from_str_radix(&VECTORS.seed, 16).unwrap().to_be_bytes()
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

fn hash(flow: &Flow) -> u64 {
    let key = FlowKey::from_seed(&seed());
    let (source_port, destination_port) = flow.ports.unwrap_or_default();
    let ([a, b], [c, d]) = (source_port.to_be_bytes(), destination_port.to_be_bytes());
    let transport = Transport { ports: [a, b, c, d], protocol: flow.protocol };
    match (flow.source, flow.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            hash_v4(&key, source.octets(), destination.octets(), transport)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let words = |octets: [u8; 16]| *octets.as_chunks::<4>().0.first_chunk::<4>().unwrap();
            hash_v6(&key, words(source.octets()), words(destination.octets()), transport)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => panic!("{}: families differ", flow.name),
    }
}

fn candidates(pool: &Pool) -> Vec<Candidate> {
    let mapped = |address| match address {
        IpAddr::V4(address) => v4_mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    };
    pool.backends.iter().map(|backend| Candidate { address: mapped(backend.address), weight: backend.weight }).collect()
}

fn owners(slots: &[Option<u32>]) -> Vec<u32> {
    slots.iter().map(|owner| owner.unwrap_or(NOBODY)).collect()
}

#[test]
fn vectors_are_of_this_hash_version_and_cover_every_part() {
    assert_eq!(VECTORS.hash_version, HASH_VERSION);
    assert!(VECTORS.flows.len() >= 15 && VECTORS.flows.iter().all(|flow| !flow.slots.is_empty()));
    assert!(VECTORS.table_sizes.len() >= 10);
    assert!(VECTORS.dials.len() >= 5);
    assert!(VECTORS.pools.len() >= 4 && VECTORS.pools.iter().all(|pool| !pool.refills.is_empty()));
}

#[test]
fn expanded_key_agrees() {
    let words: Vec<u64> = VECTORS.key_words.iter().map(|word| hex(word)).collect();
    assert_eq!(FlowKey::from_seed(&seed()).words.as_slice(), words);
}

#[test]
fn flow_hashes_agree() {
    for flow in &VECTORS.flows {
        let hash = hash(flow);
        assert_eq!(hash, hex(&flow.hash), "{}: {hash:016x}", flow.name);
    }
}

#[test]
fn slots_of_flows_agree() {
    for flow in &VECTORS.flows {
        for &Slot { size, slot } in &flow.slots {
            let pool = PoolDescriptor { offset: 0, size, flags: 0 };
            assert_eq!(pool.slot(hex(&flow.hash)), slot, "{} in {size}", flow.name);
        }
    }
}

#[test]
fn table_sizes_agree() {
    for &TableSize { backends, size } in &VECTORS.table_sizes {
        assert_eq!(table_size(backends), size, "{backends} backends");
    }
}

#[test]
fn tables_agree() {
    for pool in &VECTORS.pools {
        assert_eq!(build(&seed(), &candidates(pool)).unwrap(), owners(&pool.slots), "{}", pool.name);
    }
}

#[test]
fn refilled_tables_agree() {
    for pool in &VECTORS.pools {
        for Refill { down, slots } in &pool.refills {
            let is_down: Vec<bool> = (0..pool.backends.len()).map(|position| down.contains(&position)).collect();
            let refilled = refill(&seed(), &candidates(pool), &owners(&pool.slots), &is_down).unwrap();
            assert_eq!(refilled, owners(slots), "{} without {down:?}", pool.name);
        }
    }
}

/// Position of the pool and slot of its table, of each bucket.
fn split_owners(dial: &Dial) -> Vec<(u32, u32)> {
    let buckets = dial.pools[0].slots;
    let takes: Vec<_> = dial.pools.iter().map(|pool| taken(&seed(), &pool.name, buckets, pool.percent)).collect();
    let tables: Vec<Vec<u32>> =
        (0..).zip(&dial.pools).map(|(at, pool)| (0..pool.slots).map(|slot| at << 20 | slot).collect()).collect();
    let shares: Vec<_> = takes.iter().zip(&tables).map(|(takes, table)| Share { takes, table }).collect();
    split(buckets, &shares).into_iter().map(|owner| (owner >> 20, owner & 0xf_ffff)).collect()
}

#[test]
fn buckets_of_dials_agree() {
    for dial in &VECTORS.dials {
        let owners = split_owners(dial);
        for (bucket, (owner, expected)) in owners.iter().zip(&dial.first_buckets).enumerate() {
            assert_eq!(*owner, (expected.pool, expected.slot), "{}, bucket {bucket}", dial.name);
        }
        let count = |at: usize| owners.iter().filter(|(pool, _)| *pool as usize == at).count();
        assert_eq!((0..dial.pools.len()).map(count).collect::<Vec<_>>(), dial.counts, "{}", dial.name);
        let digest = owners.iter().fold(0_u64, |digest, (pool, slot)| {
            let mut hasher = SipHasher24::new_with_key(&seed());
            hasher.write(&digest.to_le_bytes());
            hasher.write(&pool.to_le_bytes());
            hasher.write(&slot.to_le_bytes());
            hasher.finish()
        });
        assert_eq!(digest, hex(&dial.digest), "{}", dial.name);
    }
}
