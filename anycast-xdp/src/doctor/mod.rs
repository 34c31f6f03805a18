//! `doctor`: why does this host not forward, and what mends it?
//!
//! Facts are gathered once, by [`facts`], and nothing is changed by that. Every check of [`checks`] is a pure function
//! of configuration and facts; [`report`] puts together what they say. [`checklist`] tells what a home-region host needs
//! that does not run this program.

pub mod checklist;
pub mod checks;
pub mod facts;
mod finding;
pub mod report;
#[cfg(test)]
mod tests;

use self::{
    checks::{Answer, Case, Check},
    facts::Facts,
};
pub use self::{
    finding::{Finding, Place, Severity, Skipped},
    report::Report,
};
use crate::desired::Config;

/// Makes every check that concerns this host's role.
pub fn examine(config: &Config, facts: &Facts) -> Report {
    let case = Case { config, facts };
    let mut report = Report::new(config, facts);
    for check in checks::all().filter(|check| check.concerns(&config.local.role)) {
        report.add(check.code, run(check, &case));
    }
    report.findings.sort_by_key(|finding| finding.severity);
    report
}

fn run<'a>(check: &'a Check, case: &Case<'_>) -> Answer<'a> {
    let mut answer = Answer::of(check);
    (check.run)(case, &mut answer);
    answer
}
