//! nginx, unbound and an echo server, in the home.

use std::{
    fs,
    net::UdpSocket,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{lab::Lab, namespace::run};

/// A server, killed on drop.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx: `/` is 200, `/moved` 302, `/broken` 503, by HTTP at port 80 and by HTTPS at port 443, whose certificate nobody has signed and is of
/// another name.
pub fn nginx(lab: &Lab, directory: &Path) -> Server {
    let at = directory.display();
    run(&format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=other.example -keyout {at}/key.pem -out {at}/cert.pem"
    ));
    let config = directory.join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; user root; pid {at}/nginx.pid; error_log {at}/error.log;
events {{}}
http {{
  access_log off;
  server {{
    listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
    ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;
    location = / {{ return 200 fine; }}
    location = /moved {{ return 302 /; }}
    location = /broken {{ return 503; }}
    location = /host {{ if ($host != www.example) {{ return 404; }} return 204; }}
  }}
}}"
    );
    fs::write(&config, text).unwrap();
    let mut command = lab.command_at_home("nginx");
    command.arg("-p").arg(directory).arg("-c").arg(&config).arg("-e").arg(directory.join("error.log"));
    start(command, lab, "-Htln sport = :443")
}

/// unbound: knows `health.example` by both families, and nothing else below `example`.
pub fn unbound(lab: &Lab, directory: &Path) -> Server {
    let config = directory.join("unbound.conf");
    let text = "server:
  interface: 0.0.0.0
  interface: ::0
  interface-automatic: yes
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  chroot: \"\"
  username: \"\"
  pidfile: \"\"
  use-syslog: no
  do-daemonize: no
  module-config: iterator
  local-zone: example. static
  local-data: \"health.example. A 192.0.2.1\"
  local-data: \"health.example. AAAA 2001:db8::1\"
remote-control:
  control-enable: no
";
    fs::write(&config, text).unwrap();
    let mut command = lab.command_at_home("unbound");
    command.arg("-d").arg("-c").arg(&config);
    start(command, lab, "-Huln sport = :53")
}

fn start(mut command: Command, lab: &Lab, listening: &str) -> Server {
    let server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let began = Instant::now();
    loop {
        let found =
            lab.command_at_home("ss").args(listening.split(' ').take(1)).args(listening.split(' ').skip(1)).output();
        if !found.unwrap().stdout.is_empty() {
            return server;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the server does not come up: {command:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Answers `ping` with `pong` and what followed it, from the address that was asked, at UDP port 7.
pub fn udp_echo(lab: &Lab, addresses: &[std::net::IpAddr]) {
    for address in addresses.iter().copied() {
        lab.thread_at_home(move || {
            let socket = UdpSocket::bind((address, 7)).unwrap();
            let mut buffer = [0; 1500];
            loop {
                let (bytes, from) = socket.recv_from(&mut buffer).unwrap();
                if let Some(rest) = buffer[..bytes].strip_prefix(b"ping") {
                    let answer = [b"pong".as_slice(), rest].concat();
                    // A prober that has gone is not missed.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
    }
}
