//! A network of namespaces on one machine: clients, PoPs, a backbone and a home region, with real servers and real
//! clients, in which the programs under test forward real traffic.
//!
//! Everything is owned: namespaces, links, processes and files go when their value is dropped, also while a panic
//! unwinds. Names carry the process id, so two runs never meet, and what a killed run left is swept by the next one.
//!
//! Functions return errors that name the command and what it wrote; tests unwrap them.

pub mod api;
pub(crate) mod batch;
pub mod capture;
pub mod client;
pub mod command;
pub mod controlled;
pub mod counters;
pub mod daemon;
pub mod deployment;
pub mod device;
pub mod doctor;
pub mod link;
pub mod namespace;
pub mod players;
pub mod process;
pub mod returns;
pub mod routing;
pub mod sandbox;
pub mod scratch;
pub mod server;
mod signals;
pub mod stall;
pub mod stream;
mod sweep;
pub mod topology;
pub mod wait;
pub mod wire;
pub mod world;
pub mod xdp_pass;

pub use namespace::Namespace;
pub use signals::{clean_up_on_signals, is_ending};
pub use sweep::sweep;
pub use topology::{Lab, Topology};

/// First part of the name of everything that a lab makes outside its namespaces.
pub(crate) const PREFIX: &str = "anylab-";

/// True if this process may build a lab.
pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Returns from a test that needs root when there is none, and says so.
#[macro_export]
macro_rules! require_root {
    () => {
        if !$crate::lab::is_root() {
            println!("SKIPPED {}: needs root", std::thread::current().name().unwrap_or("test"));
            return;
        }
    };
}

/// Returns from a test that needs devices when this kernel has them not, and says so: `require_devices!(&lines)`, lines as
/// [`device::refusal`] takes them.
#[macro_export]
macro_rules! require_devices {
    ($lines:expr) => {
        if let Some(reason) = $crate::lab::device::refusal($lines).expect("a network namespace") {
            println!("SKIPPED {}: {reason}", std::thread::current().name().unwrap_or("test"));
            return;
        }
    };
}

/// A name that no other lab on this machine has: prefix, process id, counter and what it is.
pub(crate) fn unique_name(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}{}-{}-{what}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Gives the calling thread its time before others: what stands still whenever something else computes measures the
/// machine.
pub(crate) fn run_ahead_of_others() {
    // SAFETY: no pointers. On Linux the 0 means the calling thread alone. Without the right to do so it
    // is slower, which reports tell.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -15) };
    // SAFETY: no pointers; the calling thread's sleeps end within a microsecond of their time, instead of 50.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1000_u64) };
}
