//! A network namespace with interfaces that packets can come in by and leave by.

use anyhow::{Context as _, Result};

use super::generate::Interface;
use crate::lab::Namespace;

/// The same in every run, so that a seed means the same packets and tables.
const INTERFACES: [Interface; 4] = [
    Interface { ifindex: 101, mac: [2, 0, 0, 0, 1, 1] },
    Interface { ifindex: 102, mac: [2, 0, 0, 0, 1, 2] },
    Interface { ifindex: 103, mac: [2, 0, 0, 0, 1, 3] },
    Interface { ifindex: 104, mac: [2, 0, 0, 0, 1, 4] },
];

/// Runs `work` on a thread within a namespace that has [`INTERFACES`], two veth pairs.
pub fn with_interfaces<T: Send>(work: impl FnOnce(&[Interface]) -> Result<T> + Send) -> Result<T> {
    namespace()?.enter(|| work(&INTERFACES))?
}

/// A namespace that has [`INTERFACES`].
pub fn namespace() -> Result<Namespace> {
    let namespace = Namespace::new("oracle").context("the oracle needs a network namespace")?;
    for [first, second] in [[INTERFACES[0], INTERFACES[1]], [INTERFACES[2], INTERFACES[3]]] {
        namespace.ip(&format!("link add {} type veth peer {}", arguments(first), arguments(second)))?;
    }
    Ok(namespace)
}

fn arguments(Interface { ifindex, mac }: Interface) -> String {
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    format!("name oracle{ifindex} address {mac} index {ifindex}")
}
