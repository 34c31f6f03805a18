//! Checks across fields, after each was read by itself.

mod addresses;
mod capacity;
mod duplicates;
mod health;
mod interfaces;
mod mtus;
mod pools;
mod prefixes;
mod returns;

use super::{findings::Findings, local::LocalDraft, services::ServicesDraft};

pub(super) fn check(local: &LocalDraft, services: &ServicesDraft, findings: &mut Findings<'_>) {
    duplicates::check(local, services, findings);
    interfaces::check(local, findings);
    pools::check(local, services, findings);
    prefixes::check(services, findings);
    mtus::check(local, services, findings);
    addresses::check(local, services, findings);
    returns::check(local, services, findings);
    health::check(local, services, findings);
    capacity::check(local, services, findings);
}
