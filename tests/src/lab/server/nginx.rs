//! nginx: small and large downloads, and uploads.

use std::{fmt::Write as _, fs, net::IpAddr, path::Path};

use anyhow::{Context, Result};

use super::{
    super::{Namespace, process::Process},
    START_LIMIT, accepts, with_port,
};

/// What `/` answers.
pub const SMALL_FILE: &str = "served by the home region\n";
/// Size of `/large`.
pub const LARGE_FILE_BYTES: usize = 10_000_000;

/// Files in PEM.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The certificate.
    pub certificate: &'a Path,
    /// Its private key.
    pub key: &'a Path,
}

/// An nginx that serves [`SMALL_FILE`] at `/` and [`LARGE_FILE_BYTES`] bytes at `/large`, and takes PUTs of any size at
/// `/upload/NAME`.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts it on port 80 of the addresses; its files go below `directory`, which must exist.
    pub fn start(namespace: &Namespace, directory: &Path, addresses: &[IpAddr]) -> Result<Self> {
        Self::start_with(namespace, directory, addresses, None)
    }

    /// The same, with TLS on port 443.
    pub fn start_with_tls(
        namespace: &Namespace,
        directory: &Path,
        addresses: &[IpAddr],
        identity: &Identity<'_>,
    ) -> Result<Self> {
        Self::start_with(namespace, directory, addresses, Some(identity))
    }

    fn start_with(
        namespace: &Namespace,
        directory: &Path,
        addresses: &[IpAddr],
        identity: Option<&Identity<'_>>,
    ) -> Result<Self> {
        let root = directory.join("nginx");
        fs::create_dir_all(root.join("www/upload")).context("nginx directories")?;
        fs::write(root.join("www/index.html"), SMALL_FILE)?;
        fs::write(root.join("www/large"), vec![b'x'; LARGE_FILE_BYTES])?;
        let config = root.join("nginx.conf");
        fs::write(&config, configuration(&root, addresses, identity))?;

        let mut command = namespace.command("nginx");
        command.arg("-p").arg(&root).arg("-c").arg(&config).arg("-e").arg(root.join("error.log"));
        let mut process = Process::start("nginx", command, &root.join("nginx.log"))?;
        process.wait_until(START_LIMIT, |_| addresses.iter().all(|&ip| accepts(namespace, with_port(ip, 80))))?;
        Ok(Self { process })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// One process, so that killing it kills all of it.
fn configuration(root: &Path, addresses: &[IpAddr], identity: Option<&Identity<'_>>) -> String {
    let root = root.display();
    let mut listen = addresses.iter().fold(String::new(), |mut text, &address| {
        let _ = writeln!(text, "    listen {};", with_port(address, 80));
        text
    });
    if let Some(Identity { certificate, key }) = identity {
        let (certificate, key) = (certificate.display(), key.display());
        let _ = writeln!(listen, "    ssl_certificate {certificate};\n    ssl_certificate_key {key};");
        for &address in addresses {
            let _ = writeln!(listen, "    listen {} ssl;", with_port(address, 443));
        }
    }
    format!(
        "daemon off;
master_process off;
user root;
pid {root}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  client_max_body_size 0;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  server {{
{listen}    root {root}/www;
    location /upload/ {{ dav_methods PUT; }}
  }}
}}
"
    )
}
