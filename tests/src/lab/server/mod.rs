//! Real servers in a namespace, ready when their constructor returns.

mod iperf3;
mod nginx;
mod tcp_echo;
mod udp_echo;

pub use iperf3::Iperf3Server;
pub use nginx::{LARGE_FILE_BYTES, Nginx, SMALL_FILE};
pub use tcp_echo::TcpEcho;
pub use udp_echo::UdpEcho;

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use super::Namespace;

/// How long a server may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// True if something accepts TCP connections there.
fn accepts(namespace: &Namespace, address: SocketAddr) -> bool {
    namespace.enter(|| TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()).unwrap_or(false)
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`.
fn with_port(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}
