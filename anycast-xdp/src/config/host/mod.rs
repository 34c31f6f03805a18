//! Does a valid configuration fit this host?

mod check;
mod facts;
pub(crate) mod mtu;
mod returns;
pub(crate) mod sysctl;
#[cfg(test)]
mod tests;

pub use self::{
    check::{Misfits, Remark, Severity, check, refuse_misfits},
    facts::{CLIENTS, ClientLink, HostFacts, LinkFacts, global_addresses},
};
