//! FRR without systemd: zebra, staticd, bfdd and bgpd in a namespace, with a directory of their own for sockets and pids.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::Value;

use super::{
    super::{Namespace, command, process::Process, scratch::Scratch, unique_name, wait::wait_for},
    NICE,
    peers::{BfdPeer, Route},
};

/// Where Debian's package has the daemons; they are on no `PATH`.
const DAEMONS: &str = "/usr/lib/frr";
/// How long a daemon may take until it answers vtysh.
const START_LIMIT: Duration = Duration::from_secs(10);
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// FRR's daemons of one namespace.
#[derive(Debug)]
pub struct Frr {
    directory: PathBuf,
    namespace: Namespace,
    // Dropped in this order: what asks before what answers.
    bgpd: Option<Process>,
    _others: [Process; 3],
}

impl Frr {
    /// Starts the daemons and gives them the configuration, as `vtysh -b` does at a start of the machine.
    pub fn start(namespace: &Namespace, scratch: &Scratch, configuration: &str) -> Result<Self> {
        let directory = scratch.path().join(unique_name("frr"));
        fs::create_dir(&directory)?;
        fs::write(directory.join("frr.conf"), configuration)?;
        // vtysh complains where it has none of its own.
        fs::write(directory.join("vtysh.conf"), "")?;
        let owner = owner()?;
        chown(&directory, Some(owner.0), Some(owner.1))?;
        let namespace = namespace.share();
        let start = |name| daemon(&namespace, &directory, name);
        // The others connect to zebra.
        let others = [start("zebra")?, start("staticd")?, start("bfdd")?];
        let bgpd = start("bgpd")?;
        let frr = Self { directory, namespace, bgpd: Some(bgpd), _others: others };
        frr.configure(None)?;
        Ok(frr)
    }

    /// SIGKILL to bgpd, and a new start of it as watchfrr does.
    pub fn restart_bgpd(&mut self) -> Result<()> {
        let mut bgpd = self.bgpd.take().context("bgpd is not running")?;
        bgpd.kill()?;
        self.bgpd = Some(daemon(&self.namespace, &self.directory, "bgpd")?);
        self.configure(Some("bgpd"))
    }

    /// What a command of vtysh prints.
    pub fn show(&self, words: &str) -> Result<String> {
        command::run_within(self.vtysh().args(["-c", words]), COMMAND_LIMIT)
    }

    /// The same as JSON.
    pub fn json(&self, words: &str) -> Result<Value> {
        let text = self.show(&format!("{words} json"))?;
        serde_json::from_str(&text).with_context(|| format!("what `{words} json` says: {text}"))
    }

    /// Sessions that are not established, by neighbour.
    pub fn sessions_down(&self) -> Result<Vec<String>> {
        let neighbours = self.json("show bgp neighbors")?;
        let neighbours = neighbours.as_object().context("neighbours")?;
        ensure!(!neighbours.is_empty(), "bgpd has no neighbours");
        let is_down = |neighbour: &Value| neighbour["bgpState"] != "Established";
        Ok(neighbours.iter().filter(|(_, state)| is_down(state)).map(|(name, _)| format!("BGP {name}")).collect())
    }

    /// What bfdd knows.
    pub fn bfd_peers(&self) -> Result<Vec<BfdPeer>> {
        let counters = self.json("show bfd peers counters")?;
        let counters = counters.as_array().context("counters of BFD")?;
        let peers = self.json("show bfd peers")?;
        let peer = |peer: &Value| {
            let of_peer = counters.iter().find(|counter| counter["id"] == peer["id"]);
            let millis = |key: &str| peer[key].as_u64().context("a timer of BFD");
            Ok(BfdPeer {
                address: peer["peer"].as_str().context("a BFD peer")?.parse()?,
                is_up: peer["status"] == "up",
                since: None,
                downs: of_peer.and_then(|counter| counter["session-down"].as_u64()),
                detection_ms: millis("detect-multiplier")?
                    * millis("remote-transmit-interval")?.max(millis("receive-interval")?),
            })
        };
        peers.as_array().context("BFD peers")?.iter().map(peer).collect()
    }

    /// What bgpd knows of a network, the best way first.
    pub fn routes(&self, network: IpNet) -> Result<Vec<Route>> {
        let family = if matches!(network, IpNet::V4(_)) { "ipv4" } else { "ipv6" };
        let table = self.json(&format!("show bgp {family} unicast {network}"))?;
        let Some(paths) = table["paths"].as_array() else { return Ok(Vec::new()) };
        let mut routes = paths.iter().map(route).collect::<Result<Vec<_>>>()?;
        routes.sort_by_key(|(is_best, route)| (!is_best, !route.is_used));
        Ok(routes.into_iter().map(|(_, route)| route).collect())
    }

    /// Gives the daemons, or one of them, what concerns them of the configuration.
    fn configure(&self, daemon: Option<&str>) -> Result<()> {
        let mut vtysh = self.vtysh();
        vtysh.arg("--config_dir").arg(&self.directory).arg("-b");
        vtysh.args(daemon.iter().flat_map(|daemon| ["-d", daemon]));
        let output = command::output_within(&mut vtysh, COMMAND_LIMIT)?;
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        // vtysh goes on behind a line that it does not know, and tells.
        ensure!(output.status.success() && !said.contains('%'), "vtysh takes the configuration not:\n{said}");
        Ok(())
    }

    fn vtysh(&self) -> Command {
        let mut command = self.namespace.command("vtysh");
        command.arg("--vty_socket").arg(&self.directory);
        command
    }
}

/// One path of `show bgp`, and whether it is the best.
fn route(path: &Value) -> Result<(bool, Route)> {
    let communities = path["community"]["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    let hops = path["nexthops"].as_array().map(Vec::as_slice).unwrap_or_default();
    let used = hops.iter().find(|hop| hop["used"] == true).or(hops.first());
    let address = used.and_then(|hop| hop["ip"].as_str()).context("a next hop")?.parse::<std::net::IpAddr>()?;
    let segments = path["aspath"]["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let numbers = segments.iter().filter_map(|segment| segment["list"].as_array()).flatten();
    let is_best = path["bestpath"]["overall"] == true;
    let route = Route {
        next_hop: (!address.is_unspecified()).then_some(address),
        as_path: numbers.filter_map(|number| number.as_u64()?.try_into().ok()).collect(),
        local_preference: path["locPrf"].as_u64().map_or(Ok(100), TryInto::try_into)?,
        is_draining: communities.iter().any(|community| community == "gracefulShutdown"),
        is_used: is_best || path["multipath"] == true,
    };
    Ok((is_best, route))
}

/// Starts a daemon and waits until it answers.
fn daemon(namespace: &Namespace, directory: &Path, name: &str) -> Result<Process> {
    let mut command = namespace.command("nice");
    command.args(NICE).arg(Path::new(DAEMONS).join(name));
    let empty = directory.join(format!("{name}.conf"));
    fs::write(&empty, "")?;
    command.arg("-f").arg(empty).arg("--vty_socket").arg(directory);
    command.arg("-z").arg(directory.join("zserv.api"));
    command.arg("-i").arg(directory.join(format!("{name}.pid")));
    command.args(["-P", "0", "--log", "stdout", "--log-level", "info"]);
    if name == "bfdd" {
        command.arg("--bfdctl").arg(directory.join("bfdd.sock"));
    }
    let socket = directory.join(format!("{name}.vty"));
    // One that a killed daemon left would look like a new one's.
    let _ = fs::remove_file(&socket);
    let mut process = Process::start(name, command, &directory.join(format!("{name}.log")))?;
    process.wait_until(START_LIMIT, |_| std::os::unix::net::UnixStream::connect(&socket).is_ok())?;
    if name == "zebra" {
        wait_for("zebra's socket", START_LIMIT, || directory.join("zserv.api").exists().then_some(()))?;
    }
    Ok(process)
}

/// User and group that the daemons become.
fn owner() -> Result<(u32, u32)> {
    let id = |option| -> Result<u32> { Ok(command::run(Command::new("id").args([option, "frr"]))?.trim().parse()?) };
    Ok((id("-u")?, id("-g")?))
}
