//! `[metrics] listen`: an address that only answers scrapes, on a thread of its own.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use tokio::sync::oneshot;

use super::{Metrics, answer, connections::Bounded};

const HINT: &str = "anycast-xdp: the metrics are at /metrics\n";

/// An address that is listened to, and nobody is answered yet.
#[derive(Debug)]
pub struct Bound {
    address: SocketAddr,
    listener: TcpListener,
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
struct Server {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

/// Where metrics are asked for beside the API's socket, if anywhere.
#[derive(Debug)]
pub struct Listening {
    metrics: Arc<Metrics>,
    server: Option<Server>,
}

/// Listens at `address`.
///
/// # Errors
///
/// It is none of this host's, or is in use.
pub fn bind(address: SocketAddr) -> Result<Bound> {
    let listener =
        TcpListener::bind(address).with_context(|| format!("[metrics] listen: cannot listen at {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(Bound { address, listener })
}

impl Listening {
    /// Answers at `bound`.
    ///
    /// # Errors
    ///
    /// No thread can be had.
    pub fn start(metrics: Arc<Metrics>, bound: Option<Bound>) -> Result<Self> {
        let server = bound.map(|bound| serve(bound, Arc::clone(&metrics))).transpose()?;
        Ok(Self { metrics, server })
    }

    /// Moves to `wanted`. Where that cannot be had it stays, and says so.
    pub fn follow(&mut self, wanted: Option<SocketAddr>) {
        if self.server.as_ref().map(|server| server.address) == wanted {
            return;
        }
        let server = wanted.map(|address| serve(bind(address)?, Arc::clone(&self.metrics))).transpose();
        match server {
            Ok(server) => {
                if let Some(address) = wanted {
                    tracing::info!(%address, "the metrics have moved");
                } else {
                    tracing::info!("the metrics are at the API's socket only");
                }
                self.server = server;
            }
            Err(error) => tracing::error!("the metrics stay where they are: {error:#}"),
        }
    }
}

fn serve(bound: Bound, metrics: Arc<Metrics>) -> Result<Server> {
    let Bound { address, listener } = bound;
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        runtime.block_on(async {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => Bounded::new(listener),
                Err(error) => return tracing::error!("the metrics are not served: {error}"),
            };
            let app = Router::new()
                .route("/metrics", get(|State(metrics), headers: HeaderMap| scrape(metrics, headers)))
                .route("/", get(|| async { HINT }))
                .fallback(|| async { (StatusCode::NOT_FOUND, HINT) })
                .with_state(metrics);
            tokio::select! {
                served = axum::serve(listener, app) => {
                    if let Err(error) = served {
                        tracing::error!("the metrics are not served any more: {error}");
                    }
                }
                _ = stopped => {}
            }
        });
    })?;
    Ok(Server { address, _stop: stop })
}

async fn scrape(metrics: Arc<Metrics>, headers: HeaderMap) -> axum::response::Response {
    answer(&metrics, &headers).await
}
