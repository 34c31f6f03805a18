//! Real servers in a namespace, ready when their constructor returns.

mod iperf3;
mod nginx;
mod slow_http;
mod tcp_echo;
mod udp_echo;
mod unbound;

pub use iperf3::Iperf3Server;
pub use nginx::{Identity, LARGE_FILE_BYTES, Nginx, SMALL_FILE};
pub use slow_http::{Pace, SlowHttp};
pub use tcp_echo::TcpEcho;
pub use udp_echo::UdpEcho;
pub use unbound::{DNS_NAME, Unbound};

use std::{
    fs,
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

/// True if a TCP socket listens there. The kernel is asked: a connection would be a client to the server.
fn listens(namespace: &Namespace, address: SocketAddr) -> bool {
    let table = if address.is_ipv4() { "tcp" } else { "tcp6" };
    let sockets = namespace.enter(|| fs::read_to_string(format!("/proc/thread-self/net/{table}")));
    let octets = match address.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    // Words of the address as numbers of this machine, and the state LISTEN (proc_net_tcp.rst).
    let (words, _) = octets.as_chunks::<4>();
    let words: Vec<_> = words.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect();
    let local = format!("{}:{:04X}", words.concat(), address.port());
    let is_it = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(local.as_str()) && fields.nth(1) == Some("0A")
    };
    sockets.is_ok_and(|text| text.is_ok_and(|text| text.lines().any(is_it)))
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`.
fn with_port(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}
