//! The packaged units without systemd: a machine's file system of its own, in which the daemon runs as the unit says.
//!
//! Units name the directories of the real machine. So the machine is a mount namespace with its own `/run`, `/var/lib` and
//! BPF file system; within it the daemon's sandbox is another, as systemd makes it. What seccomp would forbid is not
//! forbidden here.

mod daemon;
mod script;
mod unit;

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};

pub use self::{daemon::SandboxedDaemon, unit::Unit};
use super::{Namespace, command::run, daemon::daemon_binary, process::Process, scratch::Scratch, wait::wait_for};

/// The user that takes the place of the unit's. Every machine has it, and it owns nothing.
pub const USER: &str = "nobody";
/// Where the daemon's executable and the lab's files are in the machine.
pub const BINARY: &str = "/run/lab-anycast-xdp";
pub const FILES: &str = "/run/lab";

/// What systemd and tmpfiles.d have made before the first unit starts.
const SETUP: &str = r#"
set -eu
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/lab; touch /mnt/lab-anycast-xdp
mount --bind "$1" /mnt/lab; mount --bind "$2" /mnt/lab-anycast-xdp
mount --rbind /mnt /run; umount -l /mnt
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t bpf bpf /sys/fs/bpf
for place in /run/anycast-xdp /var/lib/anycast-xdp; do mkdir $place; chown "$3:$4" $place; mount --bind $place $place; done
chmod 0755 /run/anycast-xdp; chmod 0750 /var/lib/anycast-xdp
touch /run/lab-is-ready
exec sleep infinity
"#;

/// A machine's file system. It ends with this value.
#[derive(Debug)]
pub struct Machine {
    holder: Process,
    uid: u32,
    gid: u32,
    unit: Unit,
}

impl Machine {
    /// A machine that has not started anything yet.
    pub fn new(scratch: &Scratch) -> Result<Self> {
        let id = |what: &str| -> Result<u32> { Ok(run(Command::new("id").args([what, USER]))?.trim().parse()?) };
        let (uid, gid) = (id("-u")?, id("-g")?);
        let unit = Unit::packaged("anycast-xdp.service")?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", SETUP, "sh"]);
        command.arg(scratch.path()).arg(daemon_binary()).args([uid, gid].map(|id| id.to_string()));
        let mut holder = Process::start("machine", command, &scratch.path().join("machine.log"))?;
        holder.wait_until(Duration::from_secs(10), |holder| {
            Path::new(&format!("/proc/{}/root/run/lab-is-ready", holder.pid())).exists()
        })?;
        Ok(Self { holder, uid, gid, unit })
    }

    /// Runs `ExecStart=` of anycast-xdp-prepare.service for an instance.
    pub fn prepare(&self, instance: &str) -> Result<String> {
        let unit = Unit::packaged("anycast-xdp-prepare.service")?;
        let line =
            unit.value("ExecStart").context("ExecStart=")?.replace("--user anycast-xdp", &format!("--user {USER}"));
        let mut words = line.split_whitespace().skip(1);
        let caps = unit.capabilities("CapabilityBoundingSet");
        let mut command = self.enter(Command::new("nsenter"));
        command.args(["setpriv", &format!("--bounding-set={caps}"), "--no-new-privs", BINARY]);
        run(command.args(words.by_ref()).args(["--instance", instance]))
    }

    /// A command of root in the machine.
    pub fn root(&self, host: &Namespace) -> Command {
        self.enter(host.command("nsenter"))
    }

    /// A command of a user without capabilities, who is in one group.
    pub fn person(&self, host: &Namespace, uid: u32, gid: u32) -> Command {
        let mut command = self.root(host);
        let (uid, gid) = (uid.to_string(), gid.to_string());
        command.args(["setpriv", "--reuid", &uid, "--regid", &gid, "--clear-groups", "--bounding-set=-all"]);
        command.args(["--inh-caps=-all", "--no-new-privs"]);
        command
    }

    /// Group of the daemon.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// The sandbox of the daemon's unit: the words that follow run in it.
    fn sandbox(&self, host: &Namespace) -> Result<Command> {
        self.sandbox_of(&self.unit, host)
    }

    /// The same of another unit of the same user.
    fn sandbox_of(&self, unit: &Unit, host: &Namespace) -> Result<Command> {
        let script = script::script(unit, self.uid, self.gid)?;
        let mut command = self.root(host);
        command.args(["unshare", "--mount", "--propagation", "slave", "sh", "-c", &script, "sh"]);
        Ok(command)
    }

    fn enter(&self, mut nsenter: Command) -> Command {
        nsenter.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.pid()));
        nsenter
    }
}

/// Waits for a word in a log.
fn wait_for_log(process: &Process, from: usize, word: &str, limit: Duration) -> Result<()> {
    wait_for(word, limit, || process.log().get(from..).is_some_and(|log| log.contains(word)).then_some(()))
}
