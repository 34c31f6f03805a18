//! `detach`.

use super::{exit::Outcome, options::InstanceOption, writer};
use crate::dataplane;

/// Detach the programs and remove everything that is pinned
///
/// Traffic for the VIPs goes to this host's own stack from then on, and the counters are gone. Stop the daemon first.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp detach
  anycast-xdp detach --instance canary

Exit codes: 0 detached, 1 failed, 3 nothing is pinned for the instance")]
pub(super) struct Args {
    #[command(flatten)]
    instance: InstanceOption,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let instance = &args.instance.instance;
    if !dataplane::detach(instance)? {
        return Err(args.instance.nothing_there());
    }
    writer::tell(&format!("instance `{instance}` is detached\n"));
    Ok(())
}
