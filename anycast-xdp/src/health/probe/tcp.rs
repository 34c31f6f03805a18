//! A TCP connection; that it is made.

use std::{io, net::SocketAddr};

use tokio::net::TcpStream;

use super::{ProbeError, Subject, socket, steps::Steps};

/// Connects to a port of the VIP.
pub async fn connect(subject: &Subject, port: u16, steps: &mut Steps) -> Result<TcpStream, ProbeError> {
    let to = SocketAddr::new(subject.vip, port);
    let socket = socket::tcp(subject)?;
    socket::begin(&socket, to)?;
    steps.note(|| format!("SYN to {to} from {}, mark {:#x}", subject.source, subject.mark()));
    steps.wait_for("TCP connection");
    let stream = connected(socket).await.map_err(|error| ProbeError::of("connect", &error))?;
    steps.note(|| "connected".to_owned());
    Ok(stream)
}

async fn connected(socket: std::net::TcpStream) -> io::Result<TcpStream> {
    let stream = TcpStream::from_std(socket)?;
    stream.writable().await?;
    match stream.take_error()? {
        None => Ok(stream),
        Some(error) => Err(error),
    }
}
