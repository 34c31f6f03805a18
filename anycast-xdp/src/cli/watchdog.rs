//! `watchdog`: withdraws what is published when nothing of this program stands behind it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{
    exit::Outcome,
    run::{init_log, runtime},
};
use crate::{
    config::Host,
    dataplane::pins::Pins,
    desired::{PublishFacts, Role},
    netlink::links::Links,
    publish::watchdog::{Seen, Watch, Why},
};

/// Between two looks: two of them in a row decide, so what is seen is acted upon within 200 ms.
const LOOK_EVERY: Duration = Duration::from_millis(75);

/// Withdraw everything when the programs or the daemon are gone
///
/// Sets the interface of `[publish]` down, which takes all routes of VIPs away, when an access interface of the configuration has
/// no program of this instance, or when there has been no daemon for `withdraw_without_daemon`; and up again when both are well.
/// It is a process of its own, and needs CAP_NET_ADMIN only. SIGHUP rereads the file.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp watchdog --config /etc/anycast-xdp.toml

Exit codes: 0 stopped by a signal, 1 failed, 2 the configuration is refused, or publishes nothing")]
pub(super) struct Args {
    /// Configuration file: that of the daemon
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let watched = Watched::read(&args.config)?;
    init_log()?;
    runtime()?.block_on(watch(&args.config, watched))?;
    Ok(())
}

/// What the file says of what is watched.
struct Watched {
    pins: Pins,
    access: Vec<String>,
    publish: PublishFacts,
}

impl Watched {
    fn read(file: &Path) -> Result<Self, super::exit::Failure> {
        let config = Host::read(file)?.config().map_err(anyhow::Error::from)?;
        let Role::Pop(role) = config.local.role else { return Err(nothing(file)) };
        let Some(publish) = role.publish else { return Err(nothing(file)) };
        let access = config.local.interfaces.into_iter().filter(|interface| interface.access);
        Ok(Self {
            pins: Pins::of(&config.local.instance),
            access: access.map(|interface| interface.name).collect(),
            publish,
        })
    }

    fn look(&self, links: &mut Links) -> Result<Seen> {
        let mut bare = None;
        for interface in &self.access {
            let program = links.find(interface)?.and_then(|link| link.xdp);
            if !program.is_some_and(|program| self.pins.has_program(program.id)) {
                bare = Some(interface.clone());
                break;
            }
        }
        // To ask for the daemon is to hold its lock for a moment: only where somebody wants to know.
        let has_daemon = self.publish.withdraw_without_daemon.is_none() || self.pins.daemon_pid().is_some();
        Ok(Seen { bare, has_daemon })
    }
}

fn nothing(file: &Path) -> super::exit::Failure {
    let file = file.display();
    super::exit::Failure::Refused(format!(
        "error: {file}: nothing is published\n  help: add [publish], or do not start the watchdog"
    ))
}

async fn watch(file: &Path, mut watched: Watched) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut links = Links::open().context("cannot open a netlink socket")?;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut memory, mut told) = (Watch::default(), Told::default());
    tracing::info!(interface = watched.publish.interface, access = watched.access.join(" "), "watching");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = looks.tick() => {
                let seen = watched.look(&mut links)?;
                let why = memory.judge(seen, watched.publish.withdraw_without_daemon, Instant::now());
                follow(&mut links, &watched.publish.interface, why, &mut told);
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            }
            _ = hangup.recv() => match Watched::read(file) {
                Ok(read) => {
                    watched = read;
                    tracing::info!(access = watched.access.join(" "), "the configuration is read again");
                }
                Err(refused) => tracing::error!("the configuration is not taken up: {:#}", anyhow::Error::from(refused)),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    Ok(())
}

/// What the log has: each is said once.
#[derive(Default)]
struct Told {
    why: Option<Why>,
    failure: Option<String>,
}

/// Brings the interface to what was judged, and tells of what is new. What fails is tried again at the next look.
fn follow(links: &mut Links, interface: &str, why: Option<Why>, told: &mut Told) {
    match &why {
        Some(why) if told.why.as_ref() != Some(why) => tracing::error!(interface, "everything is withdrawn: {why}"),
        None if told.why.is_some() => tracing::warn!(interface, "all is well, and may be published again"),
        Some(_) | None => {}
    }
    let is_wanted = why.is_none();
    let set = links.find(interface).and_then(|link| match link {
        Some(link) if link.is_up != is_wanted => links.set_up(link.ifindex, is_wanted),
        _ => Ok(()),
    });
    let failure = set.err().map(|error| format!("cannot be set {}: {error}", if is_wanted { "up" } else { "down" }));
    if let Some(failure) = failure.as_ref().filter(|failure| told.failure.as_ref() != Some(failure)) {
        tracing::error!(interface, "{failure}");
    }
    *told = Told { why, failure };
}
