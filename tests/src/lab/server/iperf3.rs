//! iperf3, the server's side.

use std::{net::IpAddr, path::Path};

use anyhow::Result;

use super::{
    super::{Namespace, process::Process},
    START_LIMIT, listens, with_port,
};

const PORT: u16 = 5201;

/// An iperf3 server on port 5201.
#[derive(Debug)]
pub struct Iperf3Server {
    _process: Process,
}

impl Iperf3Server {
    /// Starts it on one address; its log goes to `directory`.
    pub fn start(namespace: &Namespace, directory: &Path, address: IpAddr) -> Result<Self> {
        let name = format!("iperf3-{}", address.to_string().replace(':', "_"));
        let mut command = namespace.command("iperf3");
        command.args(["--server", "--forceflush", "--bind", &address.to_string()]);
        let mut process = Process::start(&name, command, &directory.join(format!("{name}.log")))?;
        process.wait_until(START_LIMIT, |_| listens(namespace, with_port(address, PORT)))?;
        Ok(Self { _process: process })
    }
}
