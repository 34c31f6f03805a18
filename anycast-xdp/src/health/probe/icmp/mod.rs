//! Echo requests over raw sockets.

mod filter;
mod packet;
mod socket;

pub use self::{
    packet::Echo,
    socket::{BATCH, EchoSocket, Outgoing},
};
use super::{ProbeError, Subject, steps::Steps};

/// One request over a socket of its own, for those who want to see one.
pub(super) async fn once(subject: &Subject, steps: &mut Steps) -> Result<(), ProbeError> {
    let socket = EchoSocket::open(subject.source).map_err(|error| ProbeError::of("socket", &error))?;
    let echo = Echo { slot: 0, backend_index: subject.backend_index, nonce: fastrand::u64(..) };
    let request = Outgoing { to: subject.vip, mark: subject.mark(), echo };
    socket.send(&[request]).map_err(|error| ProbeError::of("send", &error))?;
    steps.note(|| format!("echo request to {} from {}, mark {:#x}", subject.vip, subject.source, subject.mark()));
    steps.wait_for("echo reply");
    loop {
        socket.readable().await.map_err(|error| ProbeError::of("receive", &error))?;
        let mut is_ours = false;
        socket.hear(|reply| is_ours |= reply == echo).map_err(|error| ProbeError::of("receive", &error))?;
        if is_ours {
            steps.note(|| "echo reply".to_owned());
            return Ok(());
        }
    }
}
