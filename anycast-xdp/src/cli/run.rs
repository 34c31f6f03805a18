//! `run`: the daemon.

use std::{io::IsTerminal as _, path::PathBuf};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use super::exit::Outcome;
use crate::{config::Host, daemon};

/// Load and attach the programs, and follow routes and neighbours until stopped
///
/// The configuration is checked first, and this host for it, as `check` does: what is refused changes nothing.
/// Programs and tables are pinned, so traffic goes on when the daemon stops, and the next start takes over what is
/// there. `detach` takes everything away. SIGHUP rereads the file and applies it as another start would; what is refused
/// is logged, and changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp run --config /etc/anycast-xdp.toml
  ANYCAST_XDP_LOG=debug anycast-xdp run --config pop.toml

Exit codes: 0 stopped by a signal, 1 failed, 2 the configuration is refused")]
pub(super) struct Args {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let host = Host::read(&args.config)?;
    init_log()?;
    runtime()?.block_on(daemon::run(host))?;
    Ok(())
}

/// One thread: the daemon waits for the kernel, it does not compute.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}

/// Logs go to stderr. Under systemd the journal has the time already.
pub(super) fn init_log() -> anyhow::Result<()> {
    let filter = match std::env::var("ANYCAST_XDP_LOG") {
        Ok(filter) => EnvFilter::try_new(filter).context("ANYCAST_XDP_LOG is not a log filter")?,
        Err(_) => EnvFilter::new("info"),
    };
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let log = log.with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().init();
    } else {
        log.init();
    }
    Ok(())
}
