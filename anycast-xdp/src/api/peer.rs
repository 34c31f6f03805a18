//! Who is at the other end of the socket.

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use nix::unistd::{Uid, User};
use tokio::net::UnixListener;

use crate::store::Author;

/// The process that connected, as the kernel tells it (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Debug)]
pub struct Peer(Option<Author>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let credentials = stream.io().peer_cred().ok();
        Self(credentials.map(|peer| Author {
            uid: peer.uid(),
            gid: peer.gid(),
            pid: peer.pid().unwrap_or(0),
            user: User::from_uid(Uid::from_raw(peer.uid())).ok().flatten().map(|user| user.name),
        }))
    }
}

impl Peer {
    /// The author of what it asks for. A peer that is gone before it is looked at asks for nothing.
    pub fn author(&self) -> Author {
        let unknown = || Author { uid: u32::MAX, gid: u32::MAX, pid: 0, user: None };
        self.0.clone().unwrap_or_else(unknown)
    }
}
