//! The socket, and the thread that serves it: what is judged there never keeps the daemon from following routes.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use axum::{extract::DefaultBodyLimit, middleware::from_fn_with_state};
use nix::unistd::Group;
use tokio::{
    net::UnixListener,
    sync::{oneshot, watch},
};

use super::{peer::Peer, reads::timed, routes};
use crate::{
    control::{Applied, Commands},
    daemon::Services,
    desired::Local,
    health::Watch,
    metrics::Metrics,
    publish::report::Board,
};

/// Name of the socket in the directory of an instance.
pub const SOCKET: &str = "api.sock";

/// Longest body: 100,000 VIPs are some 20 MB.
const BODY_BYTES_MAX: usize = 256 << 20;

/// What all handlers have.
#[derive(Clone)]
pub struct Shared {
    /// The services.
    pub control: Services,
    /// How far the maps are.
    pub applied: watch::Receiver<Applied>,
    /// Tells the reconciler what is no change of services.
    pub commands: Commands,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What is published.
    pub publishing: Board,
    /// Whom to ask about the health of backends.
    pub health: Watch,
}

/// A running server. It ends when this is dropped, and its socket goes.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    _stop: oneshot::Sender<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// Serves the API at the socket in `directory` until the returned value is dropped.
///
/// # Errors
///
/// No such group, or a system that refuses the socket.
pub fn serve(shared: Shared, local: &Local, directory: &Path) -> Result<Server> {
    let socket = directory.join(SOCKET);
    // Who is in the socket's group has to get there, whatever the daemon's umask and group are.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o751))?;
    let listener = listen(&socket, local.control.api_group.as_deref())?;
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("api".to_owned()).spawn(move || {
        runtime.block_on(async {
            let listener = match UnixListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return tracing::error!("the API is not served: {error}"),
            };
            let timed = from_fn_with_state(shared.clone(), timed);
            let app = routes::router().layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(timed).with_state(shared);
            let service = app.into_make_service_with_connect_info::<Peer>();
            tokio::select! {
                served = axum::serve(listener, service) => {
                    if let Err(error) = served {
                        tracing::error!("the API is not served any more: {error}");
                    }
                }
                _ = stopped => {}
            }
        });
    })?;
    Ok(Server { socket, _stop: stop })
}

/// Nobody can connect before owner and mode are right: the directory entry appears with them.
fn listen(socket: &Path, group: Option<&str>) -> Result<std::os::unix::net::UnixListener> {
    let draft = socket.with_extension("new");
    let _ = fs::remove_file(&draft);
    let listener = std::os::unix::net::UnixListener::bind(&draft)
        .with_context(|| format!("cannot make the socket {}", draft.display()))?;
    listener.set_nonblocking(true)?;
    if let Some(group) = group {
        let known = Group::from_name(group).map_err(io::Error::from)?;
        let known = known.with_context(|| format!("[api] group: this host has no group `{group}`"))?;
        chown(&draft, None, Some(known.gid.as_raw()))
            .with_context(|| format!("cannot give the socket to group `{group}`: a daemon that is not root has to be a member of it (SupplementaryGroups={group})"))?;
    }
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o660))?;
    fs::rename(&draft, socket).with_context(|| format!("cannot make the socket {}", socket.display()))?;
    Ok(listener)
}
