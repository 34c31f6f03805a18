//! Text for people from the values of [`crate::view`]: readable at 80 columns, without colour.
//!
//! `width` is that of the terminal; `None`: no line is wrapped.

mod doctor;
mod explain;
mod rates;
mod stats;
mod status;
mod table;
#[cfg(test)]
mod tests;
pub mod top;
mod units;
mod vips;

pub use self::{
    doctor::{checklists, doctor},
    explain::explain,
    rates::{Rates, rates},
    stats::stats,
    status::status,
    vips::vips,
};

/// `1 VIP`, `2 VIPs`.
pub(super) fn count_of(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
