//! A datagram; one that comes back.

use tokio::net::UdpSocket;

use super::{ProbeError, Subject, socket, steps::Steps};

/// Longer than anything that is looked at of an answer.
const ANSWER_BYTES: usize = 2048;

/// Sends, and compares the beginning of the first answer.
pub async fn ask(
    subject: &Subject,
    port: u16,
    send: &[u8],
    expect: &[u8],
    steps: &mut Steps,
) -> Result<(), ProbeError> {
    let socket = sent(subject, port, send, steps).await?;
    let mut answer = [0; ANSWER_BYTES];
    let answer = received(&socket, &mut answer, steps).await?;
    if answer.starts_with(expect) {
        return Ok(());
    }
    let found = &answer[..answer.len().min(expect.len())];
    Err(ProbeError::Unexpected(format!(
        "the answer begins with \"{}\", not with \"{}\"",
        found.escape_ascii(),
        expect.escape_ascii()
    )))
}

/// A socket that has sent a datagram to a port of the VIP.
pub async fn sent(subject: &Subject, port: u16, bytes: &[u8], steps: &mut Steps) -> Result<UdpSocket, ProbeError> {
    let socket = socket::udp(subject, port)?;
    socket.send(bytes).await.map_err(|error| ProbeError::of("send", &error))?;
    steps.note(|| {
        let (vip, source, mark) = (subject.vip, subject.source, subject.mark());
        format!("{} bytes to UDP port {port} of {vip} from {source}, mark {mark:#x}", bytes.len())
    });
    steps.wait_for("answer");
    Ok(socket)
}

/// The next datagram.
pub async fn received<'b>(socket: &UdpSocket, buffer: &'b mut [u8], steps: &mut Steps) -> Result<&'b [u8], ProbeError> {
    let bytes = socket.recv(buffer).await.map_err(|error| ProbeError::of("answer", &error))?;
    steps.note(|| format!("{bytes} bytes back"));
    Ok(&buffer[..bytes])
}
