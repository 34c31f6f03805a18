//! One request over one connection.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{ACCEPT, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use nix::unistd::{Gid, Group};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::net::UnixStream;

use super::{Answer, Body, Client, ClientError, Refusal};
use crate::api::types::ErrorAnswer;

pub(super) const JSON: &str = "application/json";

/// What is asked for.
pub(super) struct Ask {
    method: Method,
    target: String,
    accept: &'static str,
    body: Body,
}

impl Ask {
    pub(super) fn new(method: Method, path: String) -> Self {
        Self { method, target: path, accept: JSON, body: Body::Empty }
    }

    /// With parameters; those without a value are left out.
    pub(super) fn query(mut self, query: &impl Serialize) -> Result<Self, ClientError> {
        let query = serde_urlencoded::to_string(query).map_err(alien)?;
        if !query.is_empty() {
            self.target = format!("{}?{query}", self.target);
        }
        Ok(self)
    }

    pub(super) fn body(self, body: Body) -> Self {
        Self { body, ..self }
    }

    pub(super) fn json(self, body: &impl Serialize) -> Result<Self, ClientError> {
        Ok(self.body(Body::Json(serde_json::to_value(body).map_err(alien)?)))
    }

    pub(super) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }
}

impl Client {
    /// Asks, and reads the answer as JSON.
    pub(super) async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<Answer<T>, ClientError> {
        let body = self.ask_bytes(ask).await?;
        let json: Value = serde_json::from_slice(&body).map_err(alien)?;
        let value = serde_json::from_value(json.clone()).map_err(alien)?;
        Ok(Answer { json, value })
    }

    /// Asks, and gives the answer as it is.
    pub(super) async fn ask_bytes(&self, ask: Ask) -> Result<Bytes, ClientError> {
        let answer = tokio::time::timeout(self.timeout, self.exchange(ask)).await;
        let (status, body) = answer.map_err(|_| ClientError::Timeout { after: self.timeout })??;
        if status.is_success() { Ok(body) } else { Err(refusal(status, &body)) }
    }

    async fn exchange(&self, ask: Ask) -> Result<(StatusCode, Bytes), ClientError> {
        let request = request(ask)?;
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| unopened(&self.socket, error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(broken)?;
            Ok((status, body.to_bytes()))
        };
        // The connection moves only while it is polled; it ends with the answer, or takes the answer down with it.
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = connection => answer.await,
        }
    }
}

fn request(ask: Ask) -> Result<Request<Full<Bytes>>, ClientError> {
    let request = Request::builder().method(ask.method).uri(ask.target);
    // HTTP/1.1 wants a host, and a socket has none.
    let request = request.header(HOST, "localhost").header(ACCEPT, ask.accept);
    let (media_type, bytes) = match ask.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(value) => (Some(JSON), value.to_string().into()),
        Body::Text { media_type, text } => (Some(media_type), text.into()),
    };
    let request = match media_type {
        Some(media_type) => request.header(CONTENT_TYPE, media_type),
        None => request,
    };
    request.body(Full::new(bytes)).map_err(alien)
}

fn refusal(status: StatusCode, body: &[u8]) -> ClientError {
    let json = serde_json::from_slice::<Value>(body);
    match json.and_then(|json| Ok((serde_json::from_value::<ErrorAnswer>(json.clone())?, json))) {
        Ok((answer, json)) => ClientError::Refused(Box::new(Refusal { error: answer.error, json })),
        Err(_) => ClientError::Alien { reason: format!("status {status} without an error of this API") },
    }
}

fn unopened(socket: &Path, error: io::Error) -> ClientError {
    let socket = PathBuf::from(socket);
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound || kind == io::ErrorKind::ConnectionRefused {
        ClientError::NoDaemon { socket }
    } else if kind == io::ErrorKind::PermissionDenied {
        let group = group_of(&socket);
        ClientError::Denied { socket, group }
    } else {
        ClientError::Open { socket, source: error }
    }
}

/// The group of the socket, or of its directory, where that is what keeps this user out.
fn group_of(socket: &Path) -> Option<String> {
    let there = socket.ancestors().find_map(|path| path.metadata().ok())?;
    let group = Group::from_gid(Gid::from_raw(there.gid())).ok()?;
    Some(group.map_or_else(|| there.gid().to_string(), |group| group.name))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken { reason: error.to_string() }
}

fn alien(error: impl std::fmt::Display) -> ClientError {
    ClientError::Alien { reason: error.to_string() }
}
