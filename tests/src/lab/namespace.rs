//! Network namespaces.

use std::{
    fs::{self, File},
    io,
    net::IpAddr,
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::process::CommandExt as _,
    },
    process::Command,
    sync::Arc,
};

use anyhow::{Context, Result};

use super::{command::run, is_ending, sweep, unique_name};

/// A network namespace under `/run/netns`, deleted on drop.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: Arc<File>,
}

impl Namespace {
    /// A new namespace with `lo` up and the settings that every host of a lab has; `what` is for people.
    pub fn new(what: &str) -> Result<Self> {
        sweep();
        let name = unique_name(what);
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let path = format!("/run/netns/{name}");
        let file = Arc::new(File::open(&path).with_context(|| path.clone())?);
        let namespace = Self { name, file };
        namespace.sysctls(&[
            // Replies come back another way than requests went (direct return): strict reverse-path checks drop them.
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            // Addresses are unique by construction: without duplicate detection they are usable at once.
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/disable_ipv6", "0"),
            ("ipv6/conf/all/disable_ipv6", "0"),
            ("ipv6/conf/default/router_solicitations", "0"),
            // A one-armed PoP sends packets back where they came from, on purpose.
            ("ipv4/conf/all/send_redirects", "0"),
            ("ipv4/conf/default/send_redirects", "0"),
            // Equal-cost routes pick by ports as well, like the routers of a PoP.
            ("ipv4/fib_multipath_hash_policy", "1"),
            ("ipv6/fib_multipath_hash_policy", "1"),
            // Tests count ICMP errors.
            ("ipv4/icmp_ratelimit", "0"),
            ("ipv6/icmp/ratelimit", "0"),
        ])?;
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Lets the namespace route.
    pub fn forwarding(self) -> Result<Self> {
        self.sysctls(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
        Ok(self)
    }

    /// Takes the name away: the namespace ends with this value or the process, whichever is first, and leaves nothing
    /// behind. What needs the name ([`Namespace::ip`]) is done before.
    pub fn without_name(mut self) -> Result<Self> {
        let name = std::mem::take(&mut self.name);
        run(Command::new("ip").args(["netns", "del", &name]))?;
        Ok(self)
    }

    /// The same namespace for what runs in it; it does not keep the name, and takes nothing away when it is dropped.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { name: String::new(), file: Arc::clone(&self.file) }
    }

    /// Name under `/run/netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on a thread of its own within the namespace. Sockets, BPF links and files under `/proc/sys/net` that
    /// it opens belong to the namespace for good. A panic goes on in the caller.
    ///
    /// `/sys` stays that of the whole machine: do not look for network devices there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let fd = self.file.as_raw_fd();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || -> io::Result<T> {
                enter_on_this_thread(fd)?;
                Ok(work())
            });
            match thread.join() {
                Ok(result) => result.with_context(|| format!("entering {}", self.name)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// A command that will run within the namespace. Unlike under `ip netns exec`, `/sys` is not mounted anew, so that
    /// bpffs pins stay where they are.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let file = Arc::clone(&self.file);
        let mut command = Command::new(program);
        // SAFETY: setns is async-signal-safe and touches no memory. The closure owns the descriptor, which is open in
        // the child until exec.
        unsafe { command.pre_exec(move || enter_on_this_thread(file.as_raw_fd())) };
        command
    }

    /// Runs `ip` with these words; its stdout.
    pub fn ip(&self, words: &str) -> Result<String> {
        run(Command::new("ip").args(["-n", &self.name]).args(words.split_whitespace()))
    }

    /// Runs any command line, split at blanks; its stdout.
    pub fn run(&self, words: &str) -> Result<String> {
        let mut words = words.split_whitespace();
        let program = words.next().context("an empty command")?;
        run(self.command(program).args(words))
    }

    /// Sets values under `/proc/sys/net`.
    pub fn sysctls(&self, values: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            for (key, value) in values {
                let path = format!("/proc/sys/net/{key}");
                fs::write(&path, value).with_context(|| format!("writing {value} to {path}"))?;
            }
            Ok(())
        })?
    }

    /// Adds an address to `lo`, as hosts do for the VIPs that they serve.
    pub fn add_loopback_address(&self, address: IpAddr) -> Result<()> {
        let prefix_len_bits = if address.is_ipv4() { 32 } else { 128 };
        self.ip(&format!("addr add {address}/{prefix_len_bits} dev lo")).map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        // Deleting the name is all that is left to do; the kernel frees the rest with the last descriptor.
        if let Err(error) = run(Command::new("ip").args(["netns", "del", &self.name]))
            && !is_ending()
        {
            eprintln!("lab: {error:#}");
        }
    }
}

/// Moves the calling thread into the namespace behind `fd`.
fn enter_on_this_thread(fd: RawFd) -> io::Result<()> {
    // SAFETY: setns only looks at the descriptor, and changes nothing but the calling thread.
    if unsafe { libc::setns(fd, libc::CLONE_NEWNET) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
