//! Does a valid configuration fit this host?

mod check;
mod facts;
pub(crate) mod mtu;
#[cfg(test)]
mod tests;

pub use self::{
    check::{Remark, Severity, check},
    facts::{HostFacts, LinkFacts, global_addresses},
};
