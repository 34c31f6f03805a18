//! One attempt: a look-up and a new connection, whatever was before it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{
    exchange::get,
    report::{Attempt, Failure, Step},
    resolve::Resolver,
    target::{Scheme, Target},
    times::Times,
};

/// What all attempts have in common.
#[derive(Clone, Debug)]
pub(super) struct Prober {
    pub(super) resolver: Resolver,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// An attempt that takes longer has failed.
    pub(super) timeout: Duration,
}

/// An attempt that is under way: how far it got is known also when it is given up.
#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    step: Step,
    pub(super) times: Times,
    pub(super) status: Option<u16>,
    pub(super) size_download_bytes: u64,
}

impl Progress {
    /// What is being done from now on.
    pub(super) fn enter(&mut self, step: Step) {
        self.step = step;
    }

    /// The time since the start.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Prober {
    /// Measures once. Failures are results, too.
    pub(super) async fn attempt(&self, target: &Target, number: u32) -> Attempt {
        let mut progress = Progress {
            began: Instant::now(),
            step: Step::NameLookup,
            times: Times::default(),
            status: None,
            size_download_bytes: 0,
        };
        let mut address = None;
        let ended = tokio::time::timeout(self.timeout, self.exchange(target, &mut progress, &mut address)).await;
        progress.times.time_total = Some(progress.now());
        let reason = match ended {
            Err(_) => Some(format!("nothing within {} s", self.timeout.as_secs_f64())),
            Ok(Err(reason)) => Some(reason),
            Ok(Ok(())) => progress.status.filter(|status| *status >= 400).map(|status| format!("status {status}")),
        };
        let Progress { step, times, status, size_download_bytes, .. } = progress;
        let failure = reason.map(|reason| Failure { step, reason });
        Attempt { number, address, times, status, size_download_bytes, failure }
    }

    async fn exchange(
        &self,
        target: &Target,
        progress: &mut Progress,
        address: &mut Option<std::net::IpAddr>,
    ) -> Result<(), String> {
        let peer = self.resolver.lookup(target).await?;
        progress.times.time_namelookup = Some(progress.now());
        *address = Some(peer.ip());
        progress.enter(Step::Connect);
        let stream = TcpStream::connect(peer).await.map_err(|error| error.to_string())?;
        progress.times.time_connect = Some(progress.now());
        if target.scheme == Scheme::Tcp {
            return Ok(());
        }
        // As curl does: the request is one small segment, which waits for nothing.
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let Some(tls) = self.tls.as_ref().filter(|_| target.scheme == Scheme::Https) else {
            return get(stream, target, progress).await;
        };
        progress.enter(Step::Tls);
        let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        let stream = stream.map_err(|error| refused(&error))?;
        progress.times.time_appconnect = Some(progress.now());
        get(stream, target, progress).await
    }
}

/// Why there is no TLS, and what to do about it where that is known.
fn refused(error: &std::io::Error) -> String {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match of_tls {
        Some(rustls::Error::InvalidCertificate(_)) => format!("{error}; --insecure takes any certificate"),
        _ => error.to_string(),
    }
}
