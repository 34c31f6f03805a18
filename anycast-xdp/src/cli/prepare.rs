//! `prepare`.

use super::{exit::Outcome, options::InstanceOption, writer};
use crate::dataplane::{bpffs, prepare::prepare, tracepoints};

/// Make what a daemon that is not root needs (as root)
///
/// Mounts a bpffs for its pins, which that user alone may enter, and writes down the numbers of the kernel's tracepoints,
/// which only root may read. Pins that the instance has in /sys/fs/bpf, from a daemon that ran as root, move to the new
/// place: stop that daemon first; forwarding goes on. What is there already stays. Packaged as
/// anycast-xdp-prepare.service.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp prepare
  anycast-xdp prepare --user anycast-xdp --instance canary

Exit codes: 0 it is there, 1 failed")]
pub(super) struct Args {
    /// User that the daemon runs as
    #[arg(long, value_name = "USER", default_value = "anycast-xdp")]
    user: String,
    #[command(flatten)]
    instance: InstanceOption,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let prepared = prepare(&args.user, &args.instance.instance)?;
    let mounted = if prepared.mounted { "is mounted now" } else { "was there already" };
    writer::tell(&format!("{}: bpffs for `{}` {mounted}\n", bpffs::OWN, args.user));
    if prepared.moved {
        writer::tell(&format!("the pins of instance `{}` are there now\n", args.instance.instance));
    }
    match prepared.tracepoints {
        None => writer::tell(&format!("{}: written\n", tracepoints::FILE)),
        Some(reason) => {
            writer::tell(&format!("losses after the verdict will not be counted: {reason}\n"));
        }
    }
    Ok(())
}
