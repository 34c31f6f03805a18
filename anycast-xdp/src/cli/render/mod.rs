//! Text for people from the values of [`crate::view`] and [`crate::api`]: readable at 80 columns, and without colour.
//!
//! `width` is that of the terminal; `None`: no line is wrapped.

mod changes;
mod doctor;
mod explain;
mod health;
mod history;
mod objects;
mod probe;
mod publishing;
mod rates;
mod refusal;
mod stats;
mod status;
mod style;
mod table;
#[cfg(test)]
mod tests;
pub mod top;
mod units;
mod values;
mod vips;

pub use self::{
    changes::{change_result, diff, failback, plan},
    doctor::{checklists, doctor},
    explain::explain,
    health::{checked, health},
    history::history,
    objects::{object, objects},
    probe::probe,
    publishing::{drained, publishing},
    rates::{Rates, rates},
    refusal::api_error,
    stats::stats,
    status::status,
    style::Style,
    vips::vips,
};

/// `1 VIP`, `2 VIPs`.
pub(super) fn count_of(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
