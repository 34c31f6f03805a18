//! Nothing of what has happened before is felt any more.

use std::{thread::sleep, time::Duration};

use anyhow::{Context, Result};
use ipnet::IpNet;
use serde_json::Value;

use super::{PopHost, VIPS, World, plan::PREFIXES, pop::Pop};
use crate::lab::wait::wait_for;

/// Backends are up after some probes, hosts publish after their hold, and transitions take their time.
const SETTLE_LIMIT: Duration = Duration::from_mins(1);
/// For how long no BFD session goes down.
const QUIET: Duration = Duration::from_secs(1);

impl World {
    /// Waits until it is whole, all backends are up everywhere, all hosts publish everything and are used, and no flow is in
    /// transition, and that no BFD session went down for a while: what happens next is seen as if nothing had happened before.
    pub fn wait_until_settled(&self) -> Result<()> {
        let mut before = self.bfd_sessions()?;
        until_nothing_is_left(|| {
            sleep(QUIET);
            let now = self.bfd_sessions()?;
            let changed = now.changed_since(&before);
            before = now;
            Ok(changed)
        })
        .context("BFD")?;
        self.wait_until_whole()?;
        for pop in &self.pops {
            for host in &pop.hosts {
                until_nothing_is_left(|| host.unsettled()).with_context(|| host.daemon.instance().to_owned())?;
            }
            until_nothing_is_left(|| pop.unused_hosts()).with_context(|| pop.border.namespace.name().to_owned())?;
        }
        Ok(())
    }
}

impl Pop {
    /// VIPs that the border sends to fewer hosts than there are.
    fn unused_hosts(&self) -> Result<Vec<String>> {
        let mut unused = Vec::new();
        for (_, vip) in VIPS {
            let used = self.border.router.routes(IpNet::from(vip))?.iter().filter(|route| route.is_used).count();
            if used != self.hosts.len() {
                unused.push(format!("{used} of {} hosts for {vip}", self.hosts.len()));
            }
        }
        Ok(unused)
    }
}

impl PopHost {
    /// What is not as it was at the beginning.
    fn unsettled(&self) -> Result<Vec<String>> {
        let mut unsettled = Vec::new();
        let health = self.ask("health")?;
        for backend in rows(&health, "backends")?.iter().filter(|backend| backend["state"] != "up") {
            unsettled.push(format!("backend {} is {}", backend["backend"], backend["state"]));
        }
        let status = self.ask("status")?;
        if rows(&status, "bindings")?.iter().any(|binding| binding["in_transition"] != false) {
            unsettled.push("flows are in transition".into());
        }
        let (published, _) = self.publishing()?;
        if published != (VIPS.len() + PREFIXES.len()) as u64 {
            unsettled.push(format!("{published} VIPs and prefixes are published"));
        }
        Ok(unsettled)
    }

    /// How often the health of backends has changed so far.
    pub fn health_changes(&self) -> Result<u64> {
        let health = self.ask("health")?;
        rows(&health, "backends")?.iter().map(|row| row["transitions"].as_u64().context("a count")).sum()
    }

    /// What `publishing` says of all prefixes and VIPs: those that are in service, and routes that came or went so far.
    pub fn publishing(&self) -> Result<(u64, u64)> {
        let publishing = self.ask("publishing")?;
        let counts = &publishing["counts"];
        let number = |value: &Value| value.as_u64().context("a count");
        Ok((number(&counts["vips"][0])? + number(&counts["prefixes"][0])?, number(&counts["route_changes"])?))
    }

    fn ask(&self, command: &str) -> Result<Value> {
        let text = self.daemon.run_cli(&[command, "--output", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("output of {command}: {text}"))
    }
}

fn rows<'a>(answer: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    answer[name].as_array().with_context(|| format!("no {name} in {answer}"))
}

fn until_nothing_is_left(mut left: impl FnMut() -> Result<Vec<String>>) -> Result<()> {
    let mut last = String::new();
    let is_settled = || match left() {
        Ok(left) if left.is_empty() => Some(()),
        Ok(left) => {
            last = left.join(", ");
            None
        }
        Err(error) => {
            last = format!("{error:#}");
            None
        }
    };
    wait_for("settled world", SETTLE_LIMIT, is_settled).with_context(|| format!("still: {last}"))
}
