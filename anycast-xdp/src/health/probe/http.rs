//! A GET by HTTP/1.1; its status. The body is not waited for.

use std::{net::IpAddr, ops::RangeInclusive};

use http_body_util::Empty;
use hyper::{
    StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{ACCEPT, CONNECTION, HOST, USER_AGENT},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;

use super::{ProbeError, Subject, steps::Steps, tcp, tls};

/// What is asked for.
pub struct Request<'a> {
    pub port: u16,
    pub is_tls: bool,
    pub host: Option<&'a str>,
    pub path: &'a str,
    /// Statuses of a success.
    pub status: &'a RangeInclusive<u16>,
}

/// Asks, and judges the status.
pub async fn get(subject: &Subject, request: &Request<'_>, steps: &mut Steps) -> Result<(), ProbeError> {
    let stream = tcp::connect(subject, request.port, steps).await?;
    let status = if request.is_tls {
        let stream = tls::handshake(subject, request.host, stream, steps).await?;
        status(subject, request, TokioIo::new(stream), steps).await?
    } else {
        status(subject, request, TokioIo::new(stream), steps).await?
    };
    steps.note(|| format!("status {status}"));
    if request.status.contains(&status.as_u16()) {
        return Ok(());
    }
    let (first, last) = (request.status.start(), request.status.end());
    Err(ProbeError::Unexpected(format!("status {status}, not of {first} to {last}")))
}

async fn status<S: Read + Write + Unpin>(
    subject: &Subject,
    request: &Request<'_>,
    stream: S,
    steps: &mut Steps,
) -> Result<StatusCode, ProbeError> {
    let broken = |error: hyper::Error| ProbeError::Refused { what: "HTTP", why: told(&error) };
    let host = match (request.host, subject.vip) {
        (Some(host), _) => host.to_owned(),
        (None, IpAddr::V4(vip)) => vip.to_string(),
        (None, IpAddr::V6(vip)) => format!("[{vip}]"),
    };
    let default_port = if request.is_tls { 443 } else { 80 };
    let host = if request.port == default_port { host } else { format!("{host}:{}", request.port) };
    steps.note(|| format!("GET {} of {host}", request.path));
    steps.wait_for("HTTP status");
    let asked = hyper::Request::get(request.path).header(HOST, host).header(USER_AGENT, "anycast-xdp");
    let asked = asked.header(ACCEPT, "*/*").header(CONNECTION, "close").body(Empty::<Bytes>::new());
    let asked = asked.map_err(|error| ProbeError::NotSent(format!("HTTP: {error}")))?;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
    let mut answer = std::pin::pin!(sender.send_request(asked));
    // The connection moves only while it is polled; it ends with the answer, or takes the answer down with it.
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    };
    Ok(answer.map_err(broken)?.status())
}

/// With its cause, which hyper keeps to itself.
fn told(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
