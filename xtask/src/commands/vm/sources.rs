//! Where kernels of other Debian releases come from: the mirror of this host's own sources.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::run;

/// What distinguishes the two archives in a host's sources, and the suites of each that have kernels from 6.1 on.
const ARCHIVES: [(&str, &[&str]); 2] = [
    ("Debian", &["bookworm", "trixie", "trixie-backports", "sid"]),
    ("Debian-Security", &["bookworm-security", "trixie-security"]),
];

/// Signs all releases; in the package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The lines of a `sources.list`; an error if this host has no Debian mirror.
pub fn lines() -> Result<Vec<String>> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]);
    let signed_by = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    let lines = lines_of(&run::stdout_of(&mut command)?, &signed_by);
    if lines.is_empty() {
        bail!("apt's sources on this host name no mirror of Debian");
    }
    Ok(lines)
}

/// From `Debian http://…` lines, one for every suite of the host.
fn lines_of(targets: &str, signed_by: &str) -> Vec<String> {
    let mirror = |label: &str| {
        let mut targets = targets.lines().filter_map(|line| line.split_once(' '));
        targets.find(|(of, _)| *of == label).map(|(_, uri)| uri.trim())
    };
    let archives = ARCHIVES.iter().filter_map(|&(label, suites)| Some((mirror(label)?, suites)));
    let line = |uri: &str, suite: &str| format!("deb {signed_by}{uri} {suite} main");
    archives.flat_map(|(uri, suites)| suites.iter().map(move |suite| line(uri, suite))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_comes_from_the_mirror_of_its_archive() {
        let targets = "Debian http://mirror.example/debian/\nDebian http://mirror.example/debian/\n\
                       Debian-Security http://mirror.example/security/\nnode https://node.example/\n";
        let lines = lines_of(targets, "[signed-by=/k.gpg] ");
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[0], "deb [signed-by=/k.gpg] http://mirror.example/debian/ bookworm main");
        assert_eq!(lines[5], "deb [signed-by=/k.gpg] http://mirror.example/security/ trixie-security main");
    }

    #[test]
    fn host_without_a_debian_mirror_has_no_sources() {
        assert_eq!(lines_of("Ubuntu http://mirror.example/ubuntu/\n", ""), Vec::<String>::new());
    }
}
