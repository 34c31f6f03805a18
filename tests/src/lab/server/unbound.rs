//! unbound: a DNS server with one name.

use std::{
    fmt::Write as _,
    fs,
    net::{IpAddr, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    super::{Namespace, client::dns, process::Process},
    START_LIMIT, with_port,
};

/// The name that it knows.
pub const DNS_NAME: &str = "login.game.example";

const CONFIG: &str = "unbound.conf";

/// An unbound that answers for [`DNS_NAME`], and asks nobody else.
#[derive(Debug)]
pub struct Unbound {
    process: Process,
    directory: PathBuf,
    addresses: Vec<IpAddr>,
}

impl Unbound {
    /// Starts it on port 53 of the addresses; its files go to `directory`.
    pub fn start(namespace: &Namespace, directory: &Path, addresses: &[IpAddr]) -> Result<Self> {
        let config = directory.join(CONFIG);
        fs::write(&config, configuration(directory, addresses, true))?;
        let mut command = namespace.command("unbound");
        command.arg("-d").arg("-p").arg("-c").arg(&config);
        let mut process = Process::start("unbound", command, &directory.join("unbound.log"))?;
        process.wait_until(START_LIMIT, |_| addresses.iter().all(|&address| answers(namespace, address)))?;
        Ok(Self { process, directory: directory.to_owned(), addresses: addresses.to_owned() })
    }

    /// Has [`DNS_NAME`] or has it not, which is NXDOMAIN, from soon on: it reads its zone again and goes on listening.
    pub fn set_name(&self, is_known: bool) -> Result<()> {
        fs::write(self.directory.join(CONFIG), configuration(&self.directory, &self.addresses, is_known))?;
        let pid = libc::pid_t::try_from(self.process.pid()).context("a process id")?;
        // SAFETY: kill touches no memory; the child is not reaped yet, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGHUP) };
        Ok(())
    }
}

/// Asks once.
fn answers(namespace: &Namespace, address: IpAddr) -> bool {
    let ask = || -> Result<bool> {
        // From the address itself, which is one of the namespace.
        let socket = UdpSocket::bind(with_port(address, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.send_to(&dns::question(1, DNS_NAME), with_port(address, 53))?;
        let mut answer = [0; 512];
        let (len, _) = socket.recv_from(&mut answer)?;
        Ok(dns::answered(&answer[..len]) == Some(1))
    };
    namespace.enter(ask).is_ok_and(|answered| answered.unwrap_or(false))
}

fn configuration(directory: &Path, addresses: &[IpAddr], has_name: bool) -> String {
    let interfaces = addresses.iter().fold(String::new(), |mut text, address| {
        let _ = writeln!(text, "  interface: {address}");
        text
    });
    let data = if has_name { format!("  local-data: \"{DNS_NAME}. 60 IN A 192.0.2.10\"\n") } else { String::new() };
    format!(
        "server:
{interfaces}  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  directory: \"{}\"
  chroot: \"\"
  username: \"\"
  pidfile: \"\"
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  module-config: \"iterator\"
  local-zone: \"game.example.\" static
{data}remote-control:
  control-enable: no
",
        directory.display()
    )
}
