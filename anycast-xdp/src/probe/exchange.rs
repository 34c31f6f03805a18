//! A GET over a connection that is there.

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1,
    header::{ACCEPT, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{attempt::Progress, report::Step, target::Target};

/// Asks, and reads the whole answer without keeping it. Redirections are answers.
pub(super) async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    progress: &mut Progress,
) -> Result<(), String> {
    progress.enter(Step::Request);
    let request = Request::builder().method(Method::GET).uri(&target.request_target).header(HOST, &target.authority);
    let request = request.header(USER_AGENT, concat!("anycast-xdp/", env!("CARGO_PKG_VERSION"))).header(ACCEPT, "*/*");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(told)?;
        progress.times.time_starttransfer = Some(progress.now());
        progress.status = Some(response.status().as_u16());
        progress.enter(Step::Body);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let bytes = frame.map_err(told)?.data_ref().map_or(0, Bytes::len);
            progress.size_download_bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        }
        Ok(())
    };
    // The connection moves only while it is polled; it ends with the answer, or takes the answer down with it.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        ended = &mut exchange => ended,
        _ = connection => exchange.await,
    }
}

/// An error with its cause: hyper's own words name no reason.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn told(error: hyper::Error) -> String {
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
