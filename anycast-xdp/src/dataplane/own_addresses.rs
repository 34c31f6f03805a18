//! Addresses of this host's own that programs look at, in the one entry of `HOST`: those that ICMP errors come from, and those
//! that probes come from. They change while packets flow, and are longer than a cell: see
//! [`OwnAddresses`](anycast_common::map::OwnAddresses).

use std::{
    mem::offset_of,
    net::{Ipv4Addr, Ipv6Addr},
};

use anycast_common::map::{HostEntry, OWN_ADDRESS_WORDS, OwnAddresses};
use anyhow::Result;

use super::tables::Dataplane;

/// An address of each family; none: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// IPv4.
    pub ipv4: Option<Ipv4Addr>,
    /// IPv6.
    pub ipv6: Option<Ipv6Addr>,
}

/// Two sets of addresses and the cell that names one of them.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    cell: usize,
    sets: usize,
    read: fn(&HostEntry) -> (u64, &OwnAddresses),
}

/// Where ICMP errors come from.
pub const ICMP_SOURCES: Place = Place {
    cell: offset_of!(HostEntry, icmp_source),
    sets: offset_of!(HostEntry, icmp_sources),
    read: |host| (host.icmp_source, &host.icmp_sources),
};

/// Where probes come from.
pub const HEALTH_SOURCES: Place = Place {
    cell: offset_of!(HostEntry, health_source),
    sets: offset_of!(HostEntry, health_sources),
    read: |host| (host.health_source, &host.health_sources),
};

impl Place {
    /// What programs find now.
    #[must_use]
    pub fn current(self, host: &HostEntry) -> Own {
        let (cell, sets) = (self.read)(host);
        let set = usize::try_from(cell).ok().and_then(|set| sets.get(set.checked_sub(1)?));
        set.map_or(Own::default(), Own::of_words)
    }

    /// Makes programs find these, and never half of them.
    ///
    /// # Errors
    ///
    /// A refused system call.
    pub fn switch<D: Dataplane>(self, dataplane: &mut D, own: Own) -> Result<()> {
        if self.current(&dataplane.arrays().host.get(0)) == own {
            return Ok(());
        }
        // Programs that began before the last change may still read the set that is not named now.
        dataplane.wait_for_readers()?;
        let host = &mut dataplane.arrays().host;
        let (named, _) = (self.read)(&host.get(0));
        let next = if named == 1 { 2 } else { 1 };
        let begin = self.sets + (next - 1) * size_of::<[u64; OWN_ADDRESS_WORDS]>();
        for (at, word) in own.words().into_iter().enumerate() {
            host.store_cell(0, begin + at * size_of::<u64>(), word);
        }
        host.store_cell(0, self.cell, next as u64);
        Ok(())
    }
}

impl Own {
    fn words(self) -> [u64; OWN_ADDRESS_WORDS] {
        let mut bytes = [0; OWN_ADDRESS_WORDS * 8];
        bytes[..4].copy_from_slice(&self.ipv4.map_or([0; 4], |address| address.octets()));
        bytes[8..].copy_from_slice(&self.ipv6.map_or([0; 16], |address| address.octets()));
        std::array::from_fn(|word| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[word * 8 + byte])))
    }

    fn of_words(words: &[u64; OWN_ADDRESS_WORDS]) -> Self {
        let bytes: [[u8; 8]; OWN_ADDRESS_WORDS] = words.map(u64::to_ne_bytes);
        let bytes = bytes.as_flattened();
        let v4: [u8; 4] = std::array::from_fn(|byte| bytes[byte]);
        let v6: [u8; 16] = std::array::from_fn(|byte| bytes[8 + byte]);
        Self { ipv4: (v4 != [0; 4]).then(|| v4.into()), ipv6: (v6 != [0; 16]).then(|| v6.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dataplane::tables::Memory, desired::Limits};

    #[test]
    fn each_change_reads_back_spares_the_set_that_programs_may_read_and_leaves_the_other_place_alone() {
        let mut memory = Memory::new(&Limits { slots: 4096, ..Limits::default() }).expect("memory");
        let own = |v4: Option<&str>, v6: Option<&str>| Own {
            ipv4: v4.map(|text| text.parse().expect("an address")),
            ipv6: v6.map(|text| text.parse().expect("an address")),
        };
        let wishes = [
            own(Some("10.2.0.2"), Some("fd00:2::2")),
            own(None, Some("fd00:2::3")),
            own(Some("10.2.0.3"), None),
            own(None, None),
        ];
        for (place, other) in [(HEALTH_SOURCES, ICMP_SOURCES), (ICMP_SOURCES, HEALTH_SOURCES)] {
            let others = other.current(&memory.arrays().host.get(0));
            for wish in wishes {
                let before = memory.arrays().host.get(0);
                place.switch(&mut memory, wish).expect("switch");
                let after = memory.arrays().host.get(0);
                assert_eq!((place.current(&after), other.current(&after)), (wish, others));
                let (named, sets) = (place.read)(&before);
                if named != 0 {
                    let used = named as usize - 1;
                    assert_eq!((place.read)(&after).1[used], sets[used]);
                }
            }
        }
    }
}
