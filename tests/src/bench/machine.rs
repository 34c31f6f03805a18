//! The machine that measures: which CPU, which kernel.

use std::{fs, io, mem};

use anyhow::{Context as _, Result, ensure};

/// Keeps this process on one CPU, the last allowed one if none is asked for, and returns its number.
pub fn pin(cpu: Option<usize>) -> Result<usize> {
    let allowed = affinity().context("cannot read the CPU affinity")?;
    let cpu = match cpu {
        Some(cpu) => cpu,
        None => {
            (0..libc::CPU_SETSIZE as usize).rev().find(|cpu| is_set(*cpu, &allowed)).context("no CPU is allowed")?
        }
    };
    ensure!(cpu < libc::CPU_SETSIZE as usize && is_set(cpu, &allowed), "CPU {cpu} is not allowed here");
    // SAFETY: zeroed is the empty set; `cpu` is below CPU_SETSIZE.
    let mut one: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::CPU_SET(cpu, &mut one) };
    // SAFETY: a set of the size that is passed with it.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) };
    if result != 0 {
        return Err(io::Error::last_os_error()).context(format!("cannot stay on CPU {cpu}"));
    }
    Ok(cpu)
}

/// Kernel release.
pub fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| "unknown".into(), |text| text.trim().into())
}

/// Model of the first CPU.
pub fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".into(), |(_, name)| name.into())
}

/// Runnable tasks, averaged over the last minute: above 1 there is company, and it shows in the numbers.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

fn affinity() -> io::Result<libc::cpu_set_t> {
    // SAFETY: zeroed is the empty set.
    let mut allowed: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: a set of the size that is passed with it.
    match unsafe { libc::sched_getaffinity(0, size_of_val(&allowed), &raw mut allowed) } {
        0 => Ok(allowed),
        _ => Err(io::Error::last_os_error()),
    }
}

fn is_set(cpu: usize, set: &libc::cpu_set_t) -> bool {
    // SAFETY: callers stay below CPU_SETSIZE.
    unsafe { libc::CPU_ISSET(cpu, set) }
}
