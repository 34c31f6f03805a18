//! `cargo xtask vm`: our programs on other kernels, in virtual machines.

mod cpio;
mod initrd;
mod kernels;
mod machine;
mod modules;
mod packages;
mod report;
mod sources;

use std::{fs, path::PathBuf, process::ExitCode, thread, time::Instant};

use anyhow::{Result, bail};

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
    project_build::{self, TESTS},
    say,
};

/// The oldest kernel that is supported, long-term ones, and a new one: their verifiers and drivers differ.
const SERIES: [&str; 4] = ["6.1", "6.12", "6.18", "7.2"];

/// Machines that run at a time: each keeps about one core busy.
const MACHINES: usize = 2;

/// Test programs, by package, that say whether a kernel takes our programs and carries what they send.
const PROGRAMS: [(&str, &[&str]); 2] =
    [("anycast-xdp", &["verifier"]), (TESTS, &["packets", "egress", "kernel_decap", "kernel_links"])];

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
    let counts = on_kernels(&emulator, kernels, args.filter.as_deref(), [&[], &[]])?;
    let is_good = test::verdict(&counts)?;
    say::data(counts.to_string());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What CI leaves out on the oldest kernel and on others, so that both machines take about as long: packets run on the host's own
/// kernel as well, and the kernels' tunnel devices have not changed for years. `cargo xtask vm` leaves nothing out.
const CI_WITHOUT: [&[&str]; 2] = [&["kernel_decap", "kernel_links"], &["packets"]];

/// The oldest kernel and the newest that can be had.
pub fn oldest_and_newest(emulator: &Emulator) -> Result<Counts> {
    let mut kernels = Kernels::new(false);
    let [oldest, newer @ ..] = SERIES;
    let newest = newer.iter().rev().find_map(|series| Some((*series, kernels.get(series).ok()?)));
    let mut wanted = vec![(oldest, kernels.get(oldest))];
    wanted.extend(newest.map(|(series, kernel)| (series, Ok(kernel))));
    on_kernels(emulator, wanted, None, CI_WITHOUT)
}

/// Runs all test programs on these kernels, two machines at a time, because one leaves cores idle; a kernel that cannot
/// be had is skipped, with the reason. `without` are programs that are left out on the first kernel, and on the others.
fn on_kernels(
    emulator: &Emulator,
    kernels: Vec<(&str, Result<Kernel>)>,
    filter: Option<&str>,
    without: [&[&str]; 2],
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
    for pair in bootable.chunks(MACHINES) {
        let ran: Vec<Result<Ran>> = thread::scope(|scope| {
            let machines = pair.iter().map(|(kernel, without)| scope.spawn(|| guest.run(emulator, kernel, without)));
            let machines: Vec<_> = machines.collect();
            machines
                .into_iter()
                .map(|machine| machine.join().unwrap_or_else(|_| bail!("a machine's thread died")))
                .collect()
        });
        for machine in ran {
            let Ran { rows: own, counts: counted } = machine?;
            rows.extend(own);
            counts.add(counted);
        }
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
        // Where every instruction is emulated, that of a build for debugging takes minutes.
        say::step("building the daemon and the test programs in release mode");
        let daemon = project_build::daemon(true)?;
        let mut tests = Vec::new();
        for (package, names) in PROGRAMS {
            // Each package for itself, as the oracle and the demo build them: together, they would need what they share
            // with other features, once more.
            let mut arguments = vec!["test", "--release", "--quiet", "--no-run", "--package", package];
            for name in names {
                arguments.extend(["--test", name]);
            }
            let mut built = project_build::executables(&arguments)?;
            built.retain(|program| program.is_test);
            built.sort_by_key(|program| names.iter().position(|name| *name == program.name));
            tests.append(&mut built);
        }
        let directory = project_build::target_dir()?.join("vm");
        fs::create_dir_all(&directory)?;
        let common = initrd::common(&emulator.busybox, &daemon, &tests, filter, &directory)?;
        Ok(Self { common, directory })
    }

    /// Runs the tests on a kernel, but for these programs.
    fn run(&self, emulator: &Emulator, kernel: &Kernel, without: &[&str]) -> Result<Ran> {
        say::step(format!("Linux {}, Debian package version {}", kernel.release, kernel.package_version));
        let started = Instant::now();
        let initrd = self.directory.join(format!("{}.cpio", kernel.release));
        fs::write(&initrd, initrd::with_modules(self.common.clone(), &modules::in_order(&kernel.modules()?)?))?;
        let lines = machine::boot(emulator, kernel, &initrd, without)?;
        fs::remove_file(&initrd)?;
        let all = PROGRAMS.iter().flat_map(|(_, names)| names.iter().copied());
        let programs: Vec<&str> = all.filter(|program| !without.contains(program)).collect();
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
