//! Who the daemon is, whose the bpffs is, and who may use the API.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use nix::unistd::{Gid, Group};

use super::Known;
use crate::{
    api::SOCKET,
    dataplane::{bpffs, pins::Pins},
};

/// What people and the daemon may do with each other's files.
#[derive(Clone, Debug)]
pub struct Rights {
    /// User of the running daemon; none: no daemon runs.
    pub daemon_uid: Option<u32>,
    /// Owner of the daemon's own bpffs, if there is one.
    pub bpffs_uid: Option<u32>,
    /// The API's socket; none: there is none.
    pub socket: Known<Option<Socket>>,
}

/// A socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Name of its group, or the number of one without a name.
    pub group: String,
    /// Permissions.
    pub mode: u32,
}

impl Rights {
    pub(super) fn read(instance: &str, daemon_pid: Option<u32>) -> Self {
        let own = fs::metadata(bpffs::OWN).ok();
        Self {
            daemon_uid: daemon_pid.and_then(|pid| Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())),
            bpffs_uid: own.filter(|_| bpffs::is_mounted_at(bpffs::OWN.as_ref())).map(|own| own.uid()),
            socket: socket(&Pins::of(instance)),
        }
    }
}

fn socket(pins: &Pins) -> Known<Option<Socket>> {
    let path = pins.run().join(SOCKET);
    match fs::metadata(&path) {
        Ok(socket) => {
            let named = Group::from_gid(Gid::from_raw(socket.gid())).ok().flatten();
            let group = named.map_or_else(|| socket.gid().to_string(), |group| group.name);
            Ok(Some(Socket { group, mode: socket.mode() & 0o777 }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}
