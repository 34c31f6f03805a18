//! From services to tables: which index everything gets, and the order of writes that never shows packets a mix.
//!
//! Make before break: new backends are written (and resolved by [`super::ways`]) before a table names them, tables
//! before a pool's descriptor leads to them, entries before a key leads to them; then a grace period; then what nothing
//! refers to any more is cleared.
//!
//! A process may die between any two of these steps. The next one believes the tables: what packets can find
//! ([`reach`]) stays until it is replaced, everything else is cleared. The inventory only adds names.

mod gateway;
mod known;
mod listeners;
mod number;
pub(crate) mod peers;
pub(super) mod plan;
mod quick;
pub(super) mod reach;
mod seed;
pub(super) mod slots;
mod switch;
#[cfg(test)]
mod tests;

pub use self::{
    plan::{Plan, plan},
    quick::{Change, change_vips},
    seed::seed,
};
