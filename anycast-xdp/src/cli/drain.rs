//! `drain` and `undrain`.

mod wait;

use self::wait::{Bound, bound, wait};
use super::{
    exit::{Failure, Outcome},
    remote::Asking,
    render, writer,
};
use crate::api::types::{DrainRequest, Scope};

/// What drains.
#[derive(clap::Args, Debug)]
struct Common {
    /// All hosts of the PoP, by its `[[pop]]` object, in place of this host alone
    #[arg(long)]
    pop: bool,
    #[command(flatten)]
    remote: Asking,
}

impl Common {
    fn request(&self) -> DrainRequest {
        DrainRequest { scope: if self.pop { Scope::Pop } else { Scope::Host } }
    }
}

/// Withdraw what this host publishes, after its routers were told
///
/// Its routes get metric 200, which routers turn into GRACEFUL_SHUTDOWN (RFC 8326), and go after `drain_signal`. Forwarding goes
/// on for whatever still arrives. A drain stays through restarts and upgrades until `undrain`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp drain
  anycast-xdp drain --wait
  anycast-xdp drain --pop --wait=100/5m --output json

Exit codes: 0 drained (without --wait: it drains from now on), 1 failed, 2 this host publishes nothing, 3 no daemon, 7 the \
PoP's services are those of the host's file, 11 more than the rate arrived until the end of the time")]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Wait until less than RATE packets/s arrive for all VIPs of this host, or TIME has passed
    #[arg(long, value_name = "RATE/TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10/60s", value_parser = bound)]
    wait: Option<Bound>,
}

/// End a drain: publish at once what is well
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp undrain
  anycast-xdp undrain --pop

Exit codes: 0 done, or it did not drain, 1 failed, 2 this host publishes nothing, 3 no daemon, 7 the PoP's services are those \
of the host's file")]
pub(super) struct UndrainArgs {
    #[command(flatten)]
    common: Common,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let remote = &args.common.remote;
    let request = args.common.request();
    let Some(bound) = args.wait else {
        let answer = remote.ask(None, async |client| client.drain(&request).await)?;
        return remote.write(&answer, |publishing, style| render::publishing(publishing, style.width));
    };
    let report = remote.ask(None, async |client| {
        client.drain(&request).await?;
        wait(&client, bound).await
    })?;
    writer::write(remote.output.output, &report, render::drained)?;
    if report.drained { Ok(()) } else { Err(Failure::StillArrives) }
}

pub(super) fn undrain(args: &UndrainArgs) -> Outcome {
    let remote = &args.common.remote;
    let request = args.common.request();
    let answer = remote.ask(None, async |client| client.undrain(&request).await)?;
    remote.write(&answer, |publishing, style| render::publishing(publishing, style.width))
}
