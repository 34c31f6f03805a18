//! Test programs side by side.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{counts::Counts, project_build::Executable, run};

/// How many programs of [`SHARING`] run at a time: labs wait as long as they compute, and CI has two cores.
const LANES: usize = 3;

/// Programs that may run beside each other, those first that take long. All others run while nothing else does: they measure times and rates,
/// count packets that are lost under load, or kill daemons at chosen moments. Labs have namespaces, instances and files of
/// their own, so nothing else is shared but the cores.
const SHARING: [&str; 27] = [
    "anycast_xdp",
    "returns",
    "packets",
    "probe_path",
    "pools",
    "failover",
    "returns_moves",
    "probe_command",
    "doctor",
    "explain",
    "icmp",
    "unprivileged",
    "oracle",
    "control_api",
    "returns_mtu",
    "metrics",
    "return_tables",
    "egress",
    "forwarding_encaps",
    "forwarding_headers",
    "explain_returns",
    "returns_spoofed",
    "checksums",
    "kernel_decap",
    "kernel_links",
    "verifier",
    "cli",
];

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// Its name.
    pub name: String,
    /// Its tests.
    pub counts: Counts,
    /// How long it took.
    pub took: Duration,
}

/// Programs that share the machine, in the order of their list, and those that have it for themselves.
pub fn split(programs: Vec<Executable>) -> Result<(Vec<Executable>, Vec<Executable>)> {
    if let Some(unknown) = SHARING.iter().find(|name| programs.iter().all(|program| program.name != **name)) {
        bail!("no test program has the name `{unknown}`, which stands in {}", file!());
    }
    let place = |program: &Executable| SHARING.iter().position(|name| *name == program.name);
    let (mut sharing, alone): (Vec<_>, Vec<_>) = programs.into_iter().partition(|program| place(program).is_some());
    sharing.sort_by_key(place);
    Ok((sharing, alone))
}

/// Runs each program once, [`LANES`] at a time.
pub fn run(programs: &[Executable], one: impl Fn(&Executable) -> Result<Counts> + Sync) -> Result<Vec<Ran>> {
    run::side_by_side(LANES, programs, |program| timed(program, &one))
}

/// Runs one program.
pub fn timed(program: &Executable, one: impl Fn(&Executable) -> Result<Counts>) -> Result<Ran> {
    let started = Instant::now();
    let counts = one(program)?;
    Ok(Ran { name: program.name.clone(), counts, took: started.elapsed() })
}

/// The programs that took longest, as rows of a table.
pub fn slowest(ran: &[Ran], count: usize) -> Vec<[String; 3]> {
    let mut ran: Vec<&Ran> = ran.iter().collect();
    ran.sort_by_key(|ran| std::cmp::Reverse(ran.took));
    let head = ["slowest test programs", "result", "took"].map(str::to_owned);
    let rows = ran
        .into_iter()
        .take(count)
        .map(|ran| [ran.name.clone(), ran.counts.to_string(), format!("{:.1} s", ran.took.as_secs_f64())]);
    [head].into_iter().chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Executable {
        let name = name.to_owned();
        Executable { name, path: "/t".into(), package_dir: "/w".into(), is_test: true }
    }

    fn programs(more: &[&str]) -> Vec<Executable> {
        more.iter().chain(SHARING.iter().rev()).map(|name| program(name)).collect()
    }

    #[test]
    fn programs_that_are_not_listed_are_alone() {
        let (sharing, alone) = split(programs(&["stress", "restart"])).unwrap();
        assert_eq!(sharing.iter().map(|program| program.name.as_str()).collect::<Vec<_>>(), SHARING);
        assert_eq!(alone.iter().map(|program| program.name.as_str()).collect::<Vec<_>>(), ["stress", "restart"]);
    }

    #[test]
    fn listed_name_that_no_program_has_is_an_error() {
        let mut all = programs(&[]);
        all.retain(|program| program.name != "packets");
        assert!(split(all).unwrap_err().to_string().contains("`packets`"));
    }

    #[test]
    fn slowest_come_first() {
        let ran = |name: &str, secs| Ran {
            name: name.to_owned(),
            counts: Counts::default(),
            took: Duration::from_secs(secs),
        };
        let rows = slowest(&[ran("a", 1), ran("b", 3), ran("c", 2)], 2);
        assert_eq!(rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["slowest test programs", "b", "c"]);
        assert_eq!(rows[1][2], "3.0 s");
    }
}
