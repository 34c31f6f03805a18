//! Counting what drivers lose after a verdict: the tracepoint programs, and the keys of our interfaces.

use std::{collections::BTreeSet, fs, io, os::fd::AsFd as _, path::Path};

use anycast_common::map::{DriverLossKey, LOSS_BULK_TX, LOSS_DEVMAP_XMIT, LOSS_EXCEPTION, LOSS_REDIRECT};
use anyhow::{Context as _, Result};
use aya::{maps::MapError, programs::TracePoint};

use super::{
    bpf,
    interfaces::interface_index,
    loader::Loaded,
    pins::Pins,
    tables::{Raw, on_every_cpu},
    tracepoints,
};

/// Flag of an update: only where there is no entry yet (include/uapi/linux/bpf.h).
const BPF_NOEXIST: u64 = 1;

/// Program, tracepoint of the `xdp` category, number, and the label in CLI, JSON and metrics.
pub const TRACEPOINTS: [(&str, &str, u32, &str); 4] = [
    ("redirect_err", "xdp_redirect_err", LOSS_REDIRECT, "redirect"),
    ("devmap_xmit", "xdp_devmap_xmit", LOSS_DEVMAP_XMIT, "devmap_xmit"),
    ("exception", "xdp_exception", LOSS_EXCEPTION, "exception"),
    ("bulk_tx", "xdp_bulk_tx", LOSS_BULK_TX, "bulk_tx"),
];

/// Starts counting on these interfaces. Counting goes on without the daemon.
///
/// # Errors
///
/// A refused map. A tracepoint that cannot be had is a warning: forwarding does not depend on it.
pub fn follow(loaded: &mut Loaded, pins: &Pins, interfaces: &[&str]) -> Result<()> {
    let indexes: BTreeSet<_> = interfaces.iter().filter_map(|name| interface_index(name)).collect();
    let losses = &mut loaded.kernel.counters.losses;
    // Interfaces that were taken away would fill the table in time.
    let known = losses.keys().collect::<Result<Vec<_>, _>>().context("cannot read DRIVER_LOSSES")?;
    for key in known.into_iter().filter(|key| !indexes.contains(&key.0.ifindex)) {
        losses.remove(&key)?;
    }
    for ifindex in indexes {
        for (_, _, kind, _) in TRACEPOINTS {
            let key = Raw(DriverLossKey { ifindex, kind });
            match losses.insert(key, on_every_cpu(0u64)?, BPF_NOEXIST) {
                // Counters are kept over a restart.
                Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EEXIST) => {}
                inserted => inserted.context("cannot count losses")?,
            }
        }
    }
    tracepoints::mount_tracefs();
    for (name, tracepoint, _, _) in TRACEPOINTS {
        let pin = pins.traces().join(name);
        if let Err(error) = attach(loaded, name, tracepoint, &pin) {
            tracing::warn!("losses after the verdict are not counted by xdp:{tracepoint}: {error:#}");
        }
    }
    Ok(())
}

/// Labels of what is not counted: no program runs at its tracepoint.
pub fn not_counted(pins: &Pins) -> Vec<&'static str> {
    let is_missing = |name: &str| !pins.traces().join(name).exists();
    TRACEPOINTS.into_iter().filter(|(name, ..)| is_missing(name)).map(|(.., label)| label).collect()
}

fn attach(loaded: &mut Loaded, name: &str, tracepoint: &str, pin: &Path) -> Result<()> {
    let id = tracepoints::id(tracepoint)?;
    let program = loaded.ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
    let program: &mut TracePoint = program.try_into()?;
    program.load()?;
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let link = bpf::trace(program.fd()?.as_fd(), id).context("cannot attach to the tracepoint")?;
    bpf::pin(link, pin).with_context(|| format!("cannot pin {}", pin.display()))
}
