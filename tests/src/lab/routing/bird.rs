//! BIRD in a namespace.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;

use super::{
    super::{Namespace, command, process::Process, scratch::Scratch, unique_name},
    NICE,
    peers::{BfdPeer, Route},
};

const START_LIMIT: Duration = Duration::from_secs(10);
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// BIRD of one namespace.
#[derive(Debug)]
pub struct Bird {
    /// Configuration, control socket, pid and log, by extension.
    files: PathBuf,
    namespace: Namespace,
    process: Process,
}

impl Bird {
    /// Starts it with a configuration.
    pub fn start(namespace: &Namespace, scratch: &Scratch, configuration: &str) -> Result<Self> {
        let name = unique_name("bird");
        let configuration = scratch.write(&format!("{name}.conf"), configuration)?;
        command::run(Command::new("bird").arg("-p").arg("-c").arg(&configuration))?;
        let files = scratch.path().join(name);
        let namespace = namespace.share();
        let process = daemon(&namespace, &files, &[])?;
        Ok(Self { files, namespace, process })
    }

    /// SIGKILL, and a new start that goes on with what neighbours and the kernel kept.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = daemon(&self.namespace, &self.files, &["-R"])?;
        Ok(())
    }

    /// What a command of birdc prints.
    pub fn show(&self, words: &str) -> Result<String> {
        let mut birdc = Command::new("birdc");
        birdc.arg("-s").arg(self.files.with_extension("ctl")).args(words.split_whitespace());
        command::run_within(&mut birdc, COMMAND_LIMIT)
    }

    /// Sessions that are not established, by name of their protocol.
    pub fn sessions_down(&self) -> Result<Vec<String>> {
        let text = self.show("show protocols")?;
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let sessions: Vec<_> = rows.iter().filter(|row| row.get(1) == Some(&"BGP")).collect();
        ensure!(!sessions.is_empty(), "BIRD has no BGP sessions:\n{text}");
        let down = sessions.iter().filter(|row| row.last() != Some(&"Established"));
        Ok(down.map(|row| format!("BGP {}", row[0])).collect())
    }

    /// What its BFD knows.
    pub fn bfd_peers(&self) -> Result<Vec<BfdPeer>> {
        let text = self.show("show bfd sessions")?;
        // IP address, interface, state, since, interval, timeout; `since` is a time, a date before it or not.
        let peer = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let address: IpAddr = fields.first()?.parse().ok()?;
            let timeout = Duration::try_from_secs_f64(fields.last()?.parse().ok()?).ok()?;
            let detection_ms = timeout.as_millis() as u64;
            let since = fields.len().checked_sub(3).and_then(|at| time_of_day(fields[at]));
            Some(BfdPeer { address, is_up: fields.get(2) == Some(&"Up"), downs: None, since, detection_ms })
        };
        Ok(text.lines().filter_map(peer).collect())
    }

    /// What it knows of a network, the best way first.
    pub fn routes(&self, network: IpNet) -> Result<Vec<Route>> {
        let text = self.show(&format!("show route for {network} all"));
        let text = match text {
            Ok(text) => text,
            Err(error) if format!("{error:#}").contains("not found") => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let network = network.to_string();
        let mut routes: Vec<Route> = Vec::new();
        let mut is_of_network = false;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            // A route begins at the margin, or behind the network that it has in common with the one before.
            if line.contains('[') && line.contains(" unicast ") {
                is_of_network = if line.starts_with(' ') { is_of_network } else { words[0] == network };
                if is_of_network {
                    let route = Route { local_preference: 100, is_used: line.contains(" * "), ..Route::default() };
                    routes.push(route);
                }
            } else if let (true, Some(route)) = (is_of_network, routes.last_mut()) {
                attribute(&words, route).with_context(|| format!("what BIRD says: {line}"))?;
            }
        }
        Ok(routes)
    }
}

/// `23:36:17.250`.
fn time_of_day(text: &str) -> Option<Duration> {
    let parts: Vec<f64> = text.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hours, minutes, secs] = parts[..] else { return None };
    Duration::try_from_secs_f64((hours * 60.0 + minutes) * 60.0 + secs).ok()
}

/// Starts the daemon and waits until it answers.
fn daemon(namespace: &Namespace, files: &Path, options: &[&str]) -> Result<Process> {
    let socket = files.with_extension("ctl");
    // One that a killed daemon left would look like a new one's.
    let _ = fs::remove_file(&socket);
    let mut command = namespace.command("nice");
    command.args(NICE).args(["bird", "-f"]).args(options).arg("-c").arg(files.with_extension("conf"));
    command.arg("-s").arg(&socket).arg("-P").arg(files.with_extension("pid"));
    let mut process = Process::start("bird", command, &files.with_extension("log"))?;
    process.wait_until(START_LIMIT, |_| socket.exists())?;
    Ok(process)
}

/// Takes what a line says of a route.
fn attribute(words: &[&str], route: &mut Route) -> Result<()> {
    match words {
        ["BGP.next_hop:", address, ..] => route.next_hop = Some(address.parse()?),
        ["BGP.as_path:", numbers @ ..] => {
            route.as_path = numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
        }
        ["BGP.local_pref:", value] => route.local_preference = value.parse()?,
        ["BGP.community:", list @ ..] => route.is_draining = list.contains(&"(65535,0)"),
        _ => {}
    }
    Ok(())
}
