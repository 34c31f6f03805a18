//! The XDP program of one interface, by a pinned link.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::programs::{ProgramError, Xdp, links::FdLink, xdp::XdpLink};

use super::{
    super::{
        interfaces::{self, interface_index},
        loader::Loaded,
        pins::{Pins, open_link},
        programs,
    },
    attempt::{Attempt, attempts},
};
use crate::desired::{AttachMode, Interface};

/// How long a link that was taken away may stay on its interface.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// How an interface was attached.
pub(super) struct Attached {
    pub program_id: u32,
    pub mode: &'static str,
    pub frags: bool,
}

/// Attaches one interface.
pub(super) fn one(loaded: &mut Loaded, pins: &Pins, name: &str, interface: &Interface) -> Result<Attached> {
    let pin = &pins.link(&interface.name);
    // A link keeps its mode; the program under it may be swapped for its other variant.
    let held = pinned(pin, interface)?.map(|(_, mode)| mode);
    let attempts = attempts(interface.attach, mtu_bytes(interface)?).into_iter();
    let attempts = attempts.filter(|attempt| loaded.ebpf.program(&attempt.program(name)).is_some());
    let attempts: Vec<_> = attempts.collect();
    let mut attempts = attempts.into_iter().filter(|attempt| held.is_none_or(|mode| mode == attempt.mode)).peekable();
    while let Some(attempt) = attempts.next() {
        let program = loaded.xdp(&attempt.program(name))?;
        let program_id = program.info()?.id();
        programs::pin(pins, program_id, |path| program.pin(path))?;
        // Before it runs: its losses are counted from the first packet.
        loaded.kernel.counters.program_ids.insert(program_id, 1, 0)?;
        let Err(error) = try_once(loaded.xdp(&attempt.program(name))?, attempt, pin, interface)? else {
            return Ok(Attached { program_id, mode: mode(&interface.name)?, frags: attempt.frags });
        };
        let Some(next) = attempts.peek().filter(|_| !is_taken(&error)) else {
            return Err(explain(error, interface));
        };
        let (interface, error) = (&interface.name, anyhow::Error::new(error));
        if next.frags {
            tracing::info!(
                interface,
                "the driver refuses the program without fragments, trying the one with: {error:#}"
            );
        } else {
            tracing::warn!(interface, "the driver refuses native XDP, trying generic: {error:#}");
        }
    }
    bail!("no mode left to try")
}

/// Swaps the program under the link that is there, or makes one.
fn try_once(
    program: &mut Xdp,
    attempt: Attempt,
    pin: &Path,
    interface: &Interface,
) -> Result<Result<(), ProgramError>> {
    if let Some((link, _)) = pinned(pin, interface)? {
        return Ok(program.attach_to_link(link).map(drop));
    }
    match program.attach(&interface.name, attempt.xdp_mode()) {
        Ok(id) => {
            let link: FdLink = program.take_link(id)?.try_into()?;
            link.pin(pin)?;
            Ok(Ok(()))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The MTU of an interface, if it is there.
pub(super) fn mtu_bytes(interface: &Interface) -> Result<u32> {
    interface_index(&interface.name).map_or(Ok(0), interfaces::mtu_bytes)
}

/// The pinned link of an interface and its mode, if it is attached as the configuration asks.
fn pinned(pin: &Path, interface: &Interface) -> Result<Option<(XdpLink, &'static str)>> {
    let Some(link) = open_link(pin)? else { return Ok(None) };
    let state = match interface_index(&interface.name) {
        Some(index) => interfaces::xdp(index)?,
        None => None,
    };
    let here = state.filter(|state| link.info().is_ok_and(|info| info.program_id() == state.program_id));
    let is_asked = |mode| match interface.attach {
        AttachMode::Auto => true,
        AttachMode::Native => mode == "native",
        AttachMode::Generic => mode == "generic",
    };
    if let Some(state) = here.filter(|state| is_asked(state.mode)) {
        return Ok(Some((XdpLink::try_from(link)?, state.mode)));
    }
    // The interface went away and came back, or another mode is asked for: the link cannot be used again.
    drop(link);
    fs::remove_file(pin).context("cannot remove the old link")?;
    if let Some((index, state)) = interface_index(&interface.name).zip(here) {
        await_release(index, state.program_id)?;
    }
    Ok(None)
}

/// Waits until a program is off an interface. The kernel drops the last reference to a link a moment after its file is
/// gone (`bpf_link_put` leaves it to a worker), and till then no link of another mode is taken.
fn await_release(index: u32, program_id: u32) -> Result<()> {
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    while interfaces::xdp(index)?.is_some_and(|state| state.program_id == program_id) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The mode in which an interface runs XDP now.
fn mode(interface: &str) -> Result<&'static str> {
    let index = interface_index(interface).with_context(|| format!("there is no interface {interface}"))?;
    Ok(interfaces::xdp(index)?.map_or("detached", |state| state.mode))
}

/// Has another program the interface? Then no other attempt will do.
fn is_taken(error: &ProgramError) -> bool {
    let ProgramError::SyscallError(error) = error else { return false };
    matches!(error.io_error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST))
}

fn explain(error: ProgramError, interface: &Interface) -> anyhow::Error {
    let hint = match (&error, interface.attach) {
        (ProgramError::UnknownInterface { .. }, _) => "check the name with `ip link`",
        (error, _) if is_taken(error) => {
            "another XDP program is attached; find it with `ip -d link show`, and take it away with `ip link set dev ... xdp off`"
        }
        (_, AttachMode::Native) => {
            "attach = \"native\" does not fall back; use \"auto\" or \"generic\" where the driver has no native XDP, and see \
             that the MTU of the interface is within what its driver takes for XDP"
        }
        (_, AttachMode::Auto | AttachMode::Generic) => "both modes were refused",
    };
    anyhow::Error::new(error).context(hint)
}
