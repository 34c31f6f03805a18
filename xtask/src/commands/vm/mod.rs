//! `cargo xtask vm`: our programs on other kernels, in virtual machines.

mod cpio;
mod initrd;
mod kernels;
mod machine;
mod modules;
mod packages;
mod report;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::Result;

use self::{
    cpio::Archive,
    kernels::{Kernel, Kernels},
};
use crate::{
    commands::{
        setup::{self, Emulator},
        test,
    },
    counts::{Counts, Skip},
    project_build::{self, DAEMON, Executable},
    run, say,
};

/// The oldest kernel that is supported, long-term ones, and a new one: their verifiers and drivers differ.
const SERIES: [&str; 4] = ["6.1", "6.12", "6.18", "7.2"];

/// Machines that run at a time: each keeps about one core busy.
const MACHINES: usize = 2;

/// Test programs that say whether a kernel takes our programs and carries what they send.
const PROGRAMS: [&str; 5] = ["verifier", "packets", "egress", "kernel_decap", "kernel_links"];

/// Boots other kernels in virtual machines and runs there what depends on the kernel: the verifier, packets, the
/// kernel's own tunnel devices, VLAN devices and bonds. Kernels are Debian's, from the mirror that this host uses.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// A kernel series, again for each further one [default: 6.1, 6.12, 6.18 and 7.2].
    #[arg(long = "kernel", value_name = "SERIES")]
    kernels: Vec<String>,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Looks for newer kernels of the series than those that are here.
    #[arg(long)]
    latest: bool,
}

/// Runs the command. The last line on stdout is the count.
pub fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    let emulator = Emulator::ensure()?;
    let mut kernels = Kernels::new(args.latest);
    let mut all: Vec<&str> = args.kernels.iter().map(String::as_str).collect();
    if all.is_empty() {
        all.extend(SERIES);
    }
    let kernels: Vec<_> = all.into_iter().map(|series| (series, kernels.get(series))).collect();
    let counts = on_kernels(&emulator, kernels, args.filter.as_deref(), [ALL, ALL])?;
    let is_good = test::verdict(&counts)?;
    say::data(counts.to_string());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What CI leaves out on the oldest kernel, and on others, in one machine each: all take the two lanes of [`MACHINES`] for about as
/// long. Packets run on the host's own kernel as well, and the kernels' tunnel devices have not changed for years.
/// `cargo xtask vm` leaves nothing out.
const CI_WITHOUT: [&[&[&str]]; 2] = [
    &[
        &["verifier", "egress", "kernel_decap", "kernel_links"],
        &["verifier", "packets", "kernel_decap", "kernel_links"],
        &["packets", "egress", "kernel_decap", "kernel_links"],
    ],
    &[&["packets"]],
];

/// All programs in one machine.
const ALL: &[&[&str]] = &[&[]];

/// The oldest kernel and the newest that can be had.
pub fn oldest_and_newest(emulator: &Emulator) -> Result<Counts> {
    let mut kernels = Kernels::new(false);
    let [oldest, newer @ ..] = SERIES;
    let newest = newer.iter().rev().find_map(|series| Some((*series, kernels.get(series).ok()?)));
    let mut wanted = vec![(oldest, kernels.get(oldest))];
    wanted.extend(newest.map(|(series, kernel)| (series, Ok(kernel))));
    on_kernels(emulator, wanted, None, CI_WITHOUT)
}

/// The test programs, and what cargo builds with them.
pub fn build() -> Result<Vec<Executable>> {
    project_build::test_programs(&PROGRAMS)
}

/// Runs all test programs on these kernels, two machines at a time, because one leaves cores idle; a kernel that cannot
/// be had is skipped, with the reason. `without` are programs that are left out on the first kernel, and on the others, in
/// each of their machines.
fn on_kernels(
    emulator: &Emulator,
    kernels: Vec<(&str, Result<Kernel>)>,
    filter: Option<&str>,
    without: [&[&[&str]]; 2],
) -> Result<Counts> {
    let guest = Guest::build(emulator, filter)?;
    let mut counts = Counts::default();
    let mut rows = vec![["kernel", "package", "program", "result", "took"].map(str::to_owned)];
    let mut bootable = Vec::new();
    for (series, kernel) in kernels {
        match kernel {
            Ok(kernel) => bootable.push((kernel, without[usize::from(!bootable.is_empty())])),
            Err(error) => {
                rows.push([series, "", "", "skipped", ""].map(str::to_owned));
                counts.skipped.push(Skip { name: format!("kernel {series}"), reason: format!("{error:#}") });
            }
        }
    }
    // The first machine of every kernel, then the second ones.
    let rounds = bootable.iter().map(|(_, without)| without.len()).max().unwrap_or(0);
    let machines: Vec<(&Kernel, &[&str])> = (0..rounds)
        .flat_map(|round| bootable.iter().filter_map(move |(kernel, without)| Some((kernel, *without.get(round)?))))
        .collect();
    for ran in run::side_by_side(MACHINES, &machines, |(kernel, without)| guest.run(emulator, kernel, without))? {
        rows.extend(ran.rows);
        counts.add(ran.counts);
    }
    say::table(&rows);
    Ok(counts)
}

/// What ran in one machine: a row for each program, and the counts.
#[derive(Debug, Default)]
struct Ran {
    rows: Vec<[String; 5]>,
    counts: Counts,
}

/// What runs in every machine.
#[derive(Debug)]
struct Guest {
    common: Archive,
    directory: PathBuf,
}

impl Guest {
    fn build(emulator: &Emulator, filter: Option<&str>) -> Result<Self> {
        say::step("building the daemon and the test programs");
        let mut tests = build()?;
        let daemon = project_build::program(&tests, DAEMON)?;
        tests.retain(|program| program.is_test);
        tests.sort_by_key(|program| PROGRAMS.iter().position(|name| *name == program.name));
        let directory = project_build::target_dir()?.join("vm");
        fs::create_dir_all(&directory)?;
        let common = initrd::common(&emulator.busybox, &daemon, &tests, filter, &directory)?;
        Ok(Self { common, directory })
    }

    /// Runs the tests on a kernel, but for these programs.
    fn run(&self, emulator: &Emulator, kernel: &Kernel, without: &[&str]) -> Result<Ran> {
        say::step(format!("Linux {}, Debian package version {}", kernel.release, kernel.package_version));
        let started = Instant::now();
        // Two machines may boot one kernel at a time.
        let initrd = initrd_path(&self.directory, kernel);
        fs::write(&initrd, initrd::with_modules(self.common.clone(), &modules::in_order(&kernel.modules()?)?))?;
        let lines = machine::boot(emulator, kernel, &initrd, without)?;
        fs::remove_file(&initrd)?;
        let programs: Vec<&str> = PROGRAMS.into_iter().filter(|program| !without.contains(program)).collect();
        let mut ran = Ran::default();
        for run in report::runs(&kernel.series, &programs, &lines) {
            let took = run.took_secs.map_or_else(|| "did not end".to_owned(), |secs| format!("{secs:.1} s"));
            let cells = [&kernel.release, &kernel.package_version, &run.program, &run.counts.to_string(), &took];
            ran.rows.push(cells.map(Clone::clone));
            ran.counts.add(run.counts);
        }
        say::note(format!("{} took {} s in all", kernel.series, started.elapsed().as_secs()));
        Ok(ran)
    }
}

/// A first file system of this kernel that no other machine has.
fn initrd_path(directory: &Path, kernel: &Kernel) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    directory.join(format!("{}-{}.cpio", kernel.release, NEXT.fetch_add(1, Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs that CI runs on the oldest kernel (0) or on a newer one (1), of all its machines.
    fn in_ci(kernel: usize) -> Vec<&'static str> {
        let machines = CI_WITHOUT[kernel].iter();
        machines.flat_map(|without| PROGRAMS.into_iter().filter(|program| !without.contains(program))).collect()
    }

    #[test]
    fn ci_runs_a_program_once_on_a_kernel_and_every_program_on_one() {
        let [oldest, newer] = [0, 1].map(in_ci);
        assert_eq!(oldest, ["packets", "egress", "verifier"]);
        assert_eq!(newer, ["verifier", "egress", "kernel_decap", "kernel_links"]);
    }
}
