//! A host that a lab breaks and mends, and what the doctor must say of it.

use std::{path::PathBuf, time::Duration};

use anycast_tests::lab::{
    Namespace,
    command::run,
    doctor::{Diagnosis, examine},
    wait::wait_for,
};

/// Warnings that every lab deserves: its IPv4 tunnels have one outer source, and IPIP has no ports; a veth end is made
/// for as many queues as the machine has CPUs, and begins with one. A lab with one arm allows a small MTU, because its
/// access MTU is that of the backbone.
const WARNINGS_OF_LAB: [&str; 3] = ["outer_source_single", "queues_few", "backbone_mtu_small"];
const LIMIT: Duration = Duration::from_secs(10);

/// Among the commands that mend: what the doctor itself says, and nothing but that.
pub const FIX: &str = "what the doctor says";

/// One way to break a lab.
pub struct Breakage<'a> {
    /// What is broken.
    pub what: &'a str,
    /// Commands that break it: words of `ip`, or a whole command line after `!`.
    pub breaks: &'a [&'a str],
    /// Those that bring it back to what it was. With [`FIX`] as the first, the host is well after that one already.
    pub mends: &'a [&'a str],
    /// What the doctor must say: severity, code, place, and a part of the fix.
    pub says: (&'a str, &'a str, &'a str, &'a str),
}

/// A host, and the doctor's configuration for it.
pub struct Patient<'a> {
    pub namespace: &'a Namespace,
    pub config: PathBuf,
}

impl Patient<'_> {
    pub fn examine(&self) -> Diagnosis {
        examine(self.namespace, &self.config).unwrap()
    }

    pub fn run(&self, commands: &[&str]) {
        for command in commands {
            match command.strip_prefix('!') {
                Some(line) => self.namespace.run(line).map(drop),
                None => self.namespace.ip(command).map(drop),
            }
            .unwrap_or_else(|error| panic!("{command}: {error:#}"));
        }
    }

    /// Nothing is wrong but what every lab deserves. The kernel may need a moment to have everything as it was.
    pub fn is_well(&self, when: &str) {
        let well = wait_for(when, LIMIT, || {
            let diagnosis = self.examine();
            let warnings = diagnosis.of("warning");
            let undeserved =
                warnings.iter().any(|finding| !WARNINGS_OF_LAB.iter().any(|code| finding["code"] == *code));
            (diagnosis.of("error").is_empty() && !undeserved).then_some(())
        });
        well.unwrap_or_else(|error| panic!("{error:#}: {:#}", self.examine().report["findings"]));
    }

    /// Pastes the command that each finding with this code names; what follows a comma or semicolon is for people.
    fn follow(&self, diagnosis: &Diagnosis, code: &str) {
        for finding in diagnosis.findings().filter(|finding| finding["code"] == code) {
            let fix = finding["fix"].as_str().unwrap();
            let line = fix.split([',', ';']).next().unwrap();
            run(self.namespace.command("sh").args(["-c", line])).unwrap_or_else(|error| panic!("{fix}: {error:#}"));
        }
    }

    pub fn suffers(&self, breakage: &Breakage<'_>) {
        self.run(breakage.breaks);
        let diagnosis = self.examine();
        says(breakage.what, &diagnosis, breakage.says);
        let mends = match breakage.mends {
            [FIX, rest @ ..] => {
                self.follow(&diagnosis, breakage.says.1);
                self.is_well(&format!("health after the fix for: {}", breakage.what));
                rest
            }
            mends => mends,
        };
        self.run(mends);
        self.is_well(&format!("health after: {}", breakage.what));
    }
}

/// The doctor says it, and ends with the exit code that goes with it.
pub fn says(what: &str, diagnosis: &Diagnosis, (severity, code, place, fix): (&str, &str, &str, &str)) {
    let findings = &diagnosis.report["findings"];
    let found = diagnosis.finding(code).unwrap_or_else(|| panic!("{what}: no {code} among {findings:#}"));
    assert_eq!(found["severity"], severity, "{what}: {found:#}");
    assert_eq!(found["at"]["name"].as_str().unwrap_or("host"), place, "{what}: {found:#}");
    assert!(found["fix"].as_str().unwrap().contains(fix), "{what}: {found:#}");
    let exit_code = if diagnosis.of("error").is_empty() { 4 } else { 5 };
    assert!(severity == "info" || diagnosis.exit_code == exit_code, "{what}: exit code {}", diagnosis.exit_code);
    eprintln!("{what}: {code} ({place}): {}", found["fix"].as_str().unwrap());
}
