//! A lab that a signal ends.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd},
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
};

use anyhow::{Result, ensure};

use super::sweep::remove_own;

/// Where the handler tells of a signal. Not a blocked signal that a thread waits for: child processes inherit what is
/// blocked, and daemons would not hear SIGTERM; handlers end with exec.
static TELL: AtomicI32 = AtomicI32::new(-1);

static ENDING: AtomicBool = AtomicBool::new(false);

/// True once a signal has come and labs are being removed under their owners: what fails from then on fails for that.
pub fn is_ending() -> bool {
    ENDING.load(Ordering::Relaxed)
}

/// Lets SIGINT and SIGTERM end this process only after its labs are removed.
pub fn clean_up_on_signals() -> Result<()> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors to `ends`.
    let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    ensure!(result == 0, "pipe: {}", io::Error::last_os_error());
    // SAFETY: fresh descriptors that nothing else owns.
    let [hear, tell] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    // Open for as long as the process runs: the handler may write at any time.
    TELL.store(tell.into_raw_fd(), Ordering::Relaxed);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler does nothing that is not async-signal-safe.
        let previous = unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
        ensure!(previous != libc::SIG_ERR, "handling signal {signal}: {}", io::Error::last_os_error());
    }
    std::thread::spawn(move || {
        let mut signal = [0];
        if File::from(hear).read_exact(&mut signal).is_ok() {
            ENDING.store(true, Ordering::Relaxed);
            remove_own();
            // As a shell reports a process that a signal ended.
            std::process::exit(128 + i32::from(signal[0]));
        }
    });
    Ok(())
}

extern "C" fn handler(signal: libc::c_int) {
    let [byte, ..] = signal.to_le_bytes();
    // SAFETY: write is async-signal-safe; it reads one byte of a local. A full or closed pipe changes nothing.
    unsafe { libc::write(TELL.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
}
