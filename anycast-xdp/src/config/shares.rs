//! Does every backend get flows?

use std::net::IpAddr;

use anycast_common::{
    maglev::{Candidate, quotas, table_size},
    map::v4_mapped,
};

use super::host::Remark;
use crate::desired::{Config, Pool};

/// A warning for each backend whose weight is too small a part of its pool's for one Maglev slot.
pub(super) fn check(config: &Config) -> Vec<Remark> {
    config.services.pools.iter().enumerate().flat_map(|(index, pool)| without_slots(index, pool)).collect()
}

fn without_slots(index: usize, pool: &Pool) -> Vec<Remark> {
    let size = table_size(pool.backends.len());
    let candidates: Vec<_> = pool
        .backends
        .iter()
        .map(|backend| Candidate {
            address: match backend.address {
                IpAddr::V4(address) => v4_mapped(address.octets()),
                IpAddr::V6(address) => address.octets(),
            },
            weight: backend.weight,
        })
        .collect();
    // Duplicates were refused before.
    let quotas = quotas(size, &candidates).unwrap_or_default();
    let total: u64 = pool.backends.iter().map(|backend| u64::from(backend.weight)).sum();
    let idle = quotas.into_iter().zip(&pool.backends).enumerate().filter(|(_, (quota, _))| *quota == 0);
    idle.map(|(position, (_, backend))| {
        Remark::warning(
            format!("pool[{index}].backend[{position}].weight"),
            format!(
                "`{}` gets no flows: {} of {total} is less than one of the {size} slots of pool `{}`",
                backend.address, backend.weight, pool.name
            ),
            "give the weights of the pool a smaller span, or remove the backend",
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Backend, Encap, State};

    fn pool(weights: &[u16]) -> Pool {
        let backends = weights.iter().zip(1..).map(|(weight, host)| Backend {
            address: IpAddr::from([10, 0, 0, host]),
            weight: *weight,
            encap: Encap::Ipip,
            mtu_bytes: None,
            state: State::Up,
        });
        Pool {
            name: "home".to_owned(),
            home_region: "guangzhou".to_owned(),
            state: State::Up,
            backends: backends.collect(),
            health: None,
            dial_percent: 100,
        }
    }

    #[test]
    fn backend_whose_weight_is_less_than_a_slot_is_warned_of() {
        let remarks = without_slots(2, &pool(&[65_535, 1, 65_535]));
        assert_eq!(
            remarks.iter().map(|remark| remark.field.as_str()).collect::<Vec<_>>(),
            ["pool[2].backend[1].weight"]
        );
    }

    #[test]
    fn backends_with_slots_are_not_warned_of() {
        assert_eq!(without_slots(0, &pool(&[65_535, 100, 65_535])), []);
    }
}
