//! Debian's package manager: looks, and installs what is missing.

mod unpack;

use std::{ffi::OsStr, path::Path, process::Command, sync::Once, time::Duration};

use anyhow::{Context as _, Result};

pub use self::unpack::{Unpacker, with_dependencies};
use crate::{run, say};

/// Slow mirrors and half a gigabyte of LLVM.
const LIMIT: Duration = Duration::from_mins(30);

/// Programs whose packages start a server: its service, and what it is.
const SERVERS: [(&str, &str, &str); 5] = [
    ("nginx", "nginx.service", "a web server"),
    ("prometheus", "prometheus.service", "a monitoring server"),
    ("vtysh", "frr.service", "routing daemons"),
    ("bird", "bird.service", "a routing daemon"),
    ("unbound", "unbound.service", "a DNS server"),
];

/// What apt knows about a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Package name.
    pub package: String,
    /// The version that an installation would give.
    pub candidate: Option<String>,
}

/// This host has apt.
pub fn is_here() -> bool {
    run::exists("apt-get") && run::exists("apt-cache")
}

/// Asks apt about packages; unknown ones are left out.
pub fn policy<S: AsRef<OsStr>>(packages: &[S]) -> Result<Vec<Policy>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = Command::new("apt-cache");
    Ok(parse_policy(&run::stdout_of(command.arg("policy").args(packages).env("LC_ALL", "C"))?))
}

/// Names of the packages that begin so.
pub fn names(prefix: &str) -> Result<Vec<String>> {
    let names = run::stdout_of(Command::new("apt-cache").args(["pkgnames", prefix]))?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// Fetches the package lists, once in a run.
pub fn update() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        say::step("fetching apt's package lists");
        result = apt_get(&["update", "-qq"]).and_then(|mut command| run::patiently(&mut command, LIMIT));
    });
    result
}

/// Installs packages. Never removes one: Debian's rustc-web, say, would take a packaged rustup away.
pub fn install<S: AsRef<OsStr>>(packages: &[S]) -> Result<()> {
    update()?;
    let mut command = apt_get(&["install", "-q", "--yes", "--no-remove", "--no-install-recommends"])?;
    let added: Vec<_> = SERVERS.iter().filter(|(program, ..)| !run::exists(program)).collect();
    run::patiently(command.args(packages), LIMIT).context("apt cannot install what is missing")?;
    added
        .into_iter()
        .filter(|(program, ..)| run::exists(program))
        .try_for_each(|(_, service, what)| stop(service, what))
}

/// The tests start servers of their own in namespaces; nobody asked for one on this host.
fn stop(service: &str, what: &str) -> Result<()> {
    if !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    say::note(format!("a package starts {what} on this host: stopping and disabling it"));
    run::checked(run::as_root("systemctl", &[])?.args(["disable", "--now", "--quiet", service]))
}

fn apt_get(arguments: &[&str]) -> Result<Command> {
    let mut command = run::as_root("apt-get", &[("DEBIAN_FRONTEND", OsStr::new("noninteractive"))])?;
    command.args(arguments);
    Ok(command)
}

fn parse_policy(output: &str) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for line in output.lines() {
        if !line.starts_with(' ') {
            policies.push(Policy { package: line.trim_end_matches(':').to_owned(), candidate: None });
        } else if let (Some(policy), Some(version)) = (policies.last_mut(), line.trim().strip_prefix("Candidate: ")) {
            policy.candidate = (version != "(none)").then(|| version.to_owned());
        }
    }
    policies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_read_and_version_tables_are_not() {
        let output = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n     \
                      1.96.0+dfsg1-1~deb12u2 500\n        500 http://deb.debian.org/debian-security Packages\n     \
                      1.85.0+dfsg3-1~deb12u3 500\n        500 http://deb.debian.org/debian Packages\n\
                      rustc-mozilla:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        let policies = parse_policy(output);
        assert_eq!(policies.len(), 2);
        assert_eq!(policies[0].package, "rustc-web");
        assert_eq!(policies[0].candidate.as_deref(), Some("1.96.0+dfsg1-1~deb12u2"));
        assert_eq!(policies[1].candidate, None);
    }
}
