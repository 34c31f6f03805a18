//! The machine, and what the process may.

use std::{fs, path::Path};

use super::Known;
use crate::dataplane::bpffs;

/// The machine, and what the daemon's process may (this one's, where no daemon runs).
#[derive(Clone, Debug)]
pub struct System {
    /// Release of the kernel: `6.12.43-amd64`.
    pub kernel: String,
    /// `net.core.bpf_jit_enable`.
    pub jit: Known<u32>,
    /// The kernel has type information of itself.
    pub btf: bool,
    /// bpffs is mounted where pins are made.
    pub bpffs: bool,
    /// Effective capabilities, as bits.
    pub capabilities: Known<u64>,
    /// `RLIMIT_MEMLOCK`; `u64::MAX`: unlimited.
    pub memlock_bytes: Known<u64>,
    /// CPUs that run.
    pub cpus_online: u32,
    /// CPUs that there may ever be: per-CPU tables are made for them.
    pub cpus_possible: u32,
}

impl System {
    pub(super) fn read(instance: &str, daemon_pid: Option<u32>) -> Self {
        let process = daemon_pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let online = aya::util::online_cpus().map_or(1, |cpus| cpus.len());
        let possible = aya::util::nr_cpus().unwrap_or(online);
        Self {
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
            jit: jit(),
            btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
            bpffs: bpffs::is_mounted_for(instance),
            capabilities: read(&format!("/proc/{process}/status")).and_then(|status| capabilities(&status)),
            memlock_bytes: read(&format!("/proc/{process}/limits")).and_then(|limits| memlock(&limits)),
            cpus_online: online as u32,
            cpus_possible: possible as u32,
        }
    }

    /// Major and minor number of the kernel's version.
    pub fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.kernel.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

/// Whether this process runs as root.
pub(super) fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn read(path: &str) -> Known<String> {
    fs::read_to_string(path).map(|text| text.trim_end().to_owned()).map_err(|error| format!("{path}: {error}"))
}

fn jit() -> Known<u32> {
    let value = read("/proc/sys/net/core/bpf_jit_enable")
        .map_err(|error| format!("{error}; the kernel shows it in the machine's first network namespace only"))?;
    value.parse().map_err(|_| format!("net.core.bpf_jit_enable is `{value}`"))
}

fn capabilities(status: &str) -> Known<u64> {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).ok_or_else(|| "no CapEff in its status".to_owned())
}

/// The soft limit.
fn memlock(limits: &str) -> Known<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some("unlimited") => Ok(u64::MAX),
        Some(bytes) => bytes.parse().map_err(|_| format!("the limit is `{bytes}`")),
        None => Err("no locked memory in its limits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_and_memlock_are_read_from_proc() {
        assert_eq!(capabilities("Name:\tx\nCapEff:\t000001fffeffffff\n"), Ok(0x1ff_feff_ffff));
        assert!(capabilities("Name:\tx\n").is_err());
        let limits = |soft: &str| format!("Max locked memory         {soft}              8388608              bytes\n");
        assert_eq!(memlock(&limits("65536")), Ok(65536));
        assert_eq!(memlock(&limits("unlimited")), Ok(u64::MAX));
    }

    #[test]
    fn this_machine_tells_its_kernel_and_cpus() {
        let system = System::read("unit-test-never-was", None);
        assert!(system.version().is_some_and(|version| version >= (3, 0)), "{}", system.kernel);
        assert!(system.cpus_online >= 1 && system.cpus_possible >= system.cpus_online);
    }
}
