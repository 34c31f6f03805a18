//! The checks, one file a family. [`FAMILIES`] is the one table from which `doctor` and its reference page are made.

mod addresses;
mod answers;
mod axp;
mod drivers;
mod egress;
mod gateway;
mod instance;
mod interfaces;
mod mtu;
mod offloads;
mod returns;
mod rights;
mod system;
mod ways;
mod xdp;

use super::{
    Finding, Place, Severity, Skipped,
    facts::{Facts, Pinned, State},
};
use crate::desired::{Config, Interface, Role};

/// What a check looks at.
pub struct Case<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The facts of this host.
    pub facts: &'a Facts,
}

/// One check.
pub struct Check {
    /// Stable name.
    pub code: &'static str,
    /// How bad what it finds may be.
    pub severities: &'static [Severity],
    /// Which hosts it concerns.
    pub concerns: Concerns,
    /// What it finds.
    pub finds: &'static str,
    /// Looks for it.
    pub run: fn(&Case<'_>, &mut Answer<'_>),
}

/// Which hosts a check concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// PoPs and gateways.
    All,
    /// PoPs.
    Pops,
    /// Gateways.
    Gateways,
}

/// What a check says.
pub struct Answer<'a> {
    check: &'a Check,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped>,
}

/// Checks of one family, under its title.
pub type Family = (&'static str, &'static [Check]);

/// All checks, in the order in which they are made.
pub const FAMILIES: [Family; 15] = [
    ("The machine", &system::CHECKS),
    ("Interfaces", &interfaces::CHECKS),
    ("XDP on the interfaces", &xdp::CHECKS),
    ("At the egress of a gateway", &egress::CHECKS),
    ("XDP in the drivers", &drivers::CHECKS),
    ("Offloads and queues", &offloads::CHECKS),
    ("Addresses and services", &addresses::CHECKS),
    ("Packet sizes", &mtu::CHECKS),
    ("Ways to the backends", &ways::CHECKS),
    ("What the stack must have", &gateway::CHECKS),
    ("How a gateway's stack answers", &answers::CHECKS),
    ("Answers through the PoP", &returns::CHECKS),
    ("What the host itself sends to VIPs", &axp::CHECKS),
    ("Users and groups", &rights::CHECKS),
    ("What runs", &instance::CHECKS),
];

/// All checks.
pub fn all() -> impl Iterator<Item = &'static Check> {
    FAMILIES.into_iter().flat_map(|(_, checks)| checks)
}

impl Check {
    /// Whether it concerns hosts of this role.
    pub const fn concerns(&self, role: &Role) -> bool {
        matches!(
            (self.concerns, role),
            (Concerns::All, _) | (Concerns::Pops, Role::Pop(_)) | (Concerns::Gateways, Role::Gateway(_))
        )
    }
}

impl<'a> Answer<'a> {
    pub(super) const fn of(check: &'a Check) -> Self {
        Self { check, findings: Vec::new(), skipped: Vec::new() }
    }

    fn error(&mut self, at: Place, problem: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Error, at, problem, fix);
    }

    fn warning(&mut self, at: Place, problem: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Warning, at, problem, fix);
    }

    fn info(&mut self, at: Place, problem: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Info, at, problem, fix);
    }

    fn add(&mut self, severity: Severity, at: Place, problem: impl Into<String>, fix: impl Into<String>) {
        debug_assert!(self.check.severities.contains(&severity), "{} is not declared as {severity}", self.check.code);
        self.findings.push(Finding { severity, code: self.check.code, at, problem: problem.into(), fix: fix.into() });
    }

    fn skip(&mut self, at: Place, reason: impl Into<String>) {
        self.skipped.push(Skipped { code: self.check.code, at, reason: reason.into() });
    }
}

impl<'a> Case<'a> {
    fn interfaces(&self) -> impl Iterator<Item = &'a Interface> {
        self.config.local.interfaces.iter()
    }

    fn backbone(&self) -> impl Iterator<Item = &'a Interface> {
        self.interfaces().filter(|interface| interface.backbone)
    }

    fn instance(&self) -> Place {
        Place::Instance(self.facts.instance.name.clone())
    }

    /// The pinned state; where it may not be seen or cannot be read, a check that needs it says so.
    fn pinned(&self, answer: &mut Answer<'_>) -> Option<&'a Pinned> {
        match &self.facts.instance.state {
            State::Absent => None,
            State::Hidden(reason) | State::Broken(reason) => {
                answer.skip(self.instance(), reason);
                None
            }
            State::Pinned(pinned) => Some(pinned),
        }
    }

    /// Name of the first backbone interface, for commands.
    fn backbone_name(&self) -> &'a str {
        self.backbone().next().map_or("BACKBONE", |interface| interface.name.as_str())
    }
}
