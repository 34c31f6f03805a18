//! The receiving end of systemd's notification protocol.

use std::{
    io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A `NOTIFY_SOCKET` for one start of a daemon.
#[derive(Debug)]
pub(super) struct ReadySocket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl ReadySocket {
    /// A new socket at `path`; one that an earlier start left there is replaced.
    pub fn bind(path: &Path) -> Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let socket = UnixDatagram::bind(path).with_context(|| format!("binding {}", path.display()))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if READY=1 is among the messages that came since the last call.
    pub fn is_ready(&self) -> bool {
        let mut buffer = [0; 4096];
        let mut ready = false;
        while let Ok(len) = self.socket.recv(&mut buffer) {
            ready |= buffer[..len].split(|&byte| byte == b'\n').any(|line| line == b"READY=1");
        }
        ready
    }
}
