//! What all checks said. Its JSON form is stable.

use serde::Serialize;

use super::{Finding, Severity, Skipped, checks::Answer, facts::Facts};
use crate::desired::{Config, Role};

/// `doctor`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Instance name.
    pub instance: String,
    /// `pop` or `gateway`.
    pub role: &'static str,
    /// Site name.
    pub pop: String,
    /// Host name within the site.
    pub host: String,
    /// Release of the kernel.
    pub kernel: String,
    /// CPUs that run.
    pub cpus: u32,
    /// Process id of the running daemon.
    pub daemon_pid: Option<u32>,
    /// The interfaces of the configuration.
    pub interfaces: Vec<InterfaceRow>,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// Checks that could not be made, for some of what they look at or for all of it.
    pub skipped: Vec<Skipped>,
    /// Checks that found nothing, and could be made.
    pub ok: Vec<&'static str>,
}

/// An interface, and how XDP runs on it.
#[derive(Clone, Debug, Serialize)]
pub struct InterfaceRow {
    /// Kernel name.
    pub name: String,
    /// `access`, `backbone` and `egress`, as far as it has them.
    pub roles: Vec<&'static str>,
    /// Driver; none: not known.
    pub driver: Option<String>,
    /// Longest IP packet; none: the interface is not there.
    pub mtu_bytes: Option<u32>,
    /// Receive queues in use; none: not known.
    pub rx_queues: Option<u32>,
    /// `native`, `generic` or `off`.
    pub xdp: &'static str,
    /// What the driver can do, in the kernel's words; none: not known.
    pub xdp_features: Option<Vec<&'static str>>,
}

impl Report {
    pub(super) fn new(config: &Config, facts: &Facts) -> Self {
        let local = &config.local;
        Self {
            instance: facts.instance.name.clone(),
            role: match local.role {
                Role::Pop(_) => "pop",
                Role::Gateway(_) => "gateway",
            },
            pop: local.pop.clone(),
            host: local.host.clone(),
            kernel: facts.system.kernel.clone(),
            cpus: facts.system.cpus_online,
            daemon_pid: facts.instance.daemon_pid,
            interfaces: interfaces(config, facts),
            findings: Vec::new(),
            skipped: Vec::new(),
            ok: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, code: &'static str, answer: Answer<'_>) {
        if answer.findings.is_empty() && answer.skipped.is_empty() {
            self.ok.push(code);
        }
        self.findings.extend(answer.findings);
        self.skipped.extend(answer.skipped);
    }

    /// The worst that was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).min()
    }

    /// How many findings are this bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

fn interfaces(config: &Config, facts: &Facts) -> Vec<InterfaceRow> {
    let rows = config.local.interfaces.iter().map(|interface| {
        let link = facts.links.get(&interface.name);
        let device = facts.devices.get(&interface.name);
        let roles = [(interface.access, "access"), (interface.backbone, "backbone"), (interface.egress, "egress")];
        InterfaceRow {
            name: interface.name.clone(),
            roles: roles.into_iter().filter_map(|(has, role)| has.then_some(role)).collect(),
            driver: device.and_then(|device| device.driver.clone().ok()),
            mtu_bytes: link.map(|link| link.mtu_bytes),
            rx_queues: device.and_then(|device| Some(device.rx_queues.as_ref().ok()?.used)),
            xdp: link.and_then(|link| link.xdp).map_or("off", |xdp| xdp.mode),
            xdp_features: device.and_then(|device| Some(device.xdp_features.as_ref().ok()?.words())),
        }
    });
    rows.collect()
}
