//! The API of a daemon, asked over its socket: a connection for each request, and nothing between the bytes and the test.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::daemon::Daemon;

/// How long an answer may take; with `wait` the daemon itself gives up before.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);

/// Media type of a file of services.
pub const TOML: &str = "application/toml";
/// Media type of everything else.
pub const JSON: &str = "application/json";

/// Where to ask.
#[derive(Clone, Debug)]
pub struct Api {
    socket: PathBuf,
}

/// A request that has yet to be sent.
#[derive(Clone, Debug)]
#[must_use = "call send"]
pub struct Request<'a> {
    socket: &'a Path,
    method: &'a str,
    path: &'a str,
    headers: String,
    body: Vec<u8>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type` without its parameters.
    pub media_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Api {
    /// That of this daemon.
    pub fn of(daemon: &Daemon) -> Self {
        Self { socket: Path::new("/run/anycast-xdp").join(daemon.instance()).join("api.sock") }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A request without a body: `api.request("get", "/v1/vips?limit=1")`.
    pub fn request<'a>(&'a self, method: &'a str, path: &'a str) -> Request<'a> {
        Request { socket: &self.socket, method, path, headers: String::new(), body: Vec::new() }
    }

    /// What there is at a path.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.request("get", path).send()?.good()
    }

    /// Sends JSON; what a change that was made is answered with.
    pub fn change(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        self.request(method, path).json(body).send()?.good()
    }

    /// Makes the services those of this file, and waits for the maps.
    pub fn apply(&self, services: &str) -> Result<Value> {
        self.request("post", "/v1/apply?wait=true&force=true").body(TOML, services).send()?.good()
    }
}

impl Request<'_> {
    /// With a body.
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", media_type)
    }

    /// With a body in JSON.
    pub fn json(self, body: &Value) -> Self {
        self.body(JSON, body.to_string())
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }

    /// Sends it; the answer, whatever it says.
    pub fn send(self) -> Result<Answer> {
        let what = format!("{} {}", self.method, self.path);
        let mut stream = self.write().with_context(|| what.clone())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).with_context(|| format!("answer to {what}"))?;
        parse(&answer).with_context(|| format!("answer to {what}: {}", String::from_utf8_lossy(&answer)))
    }

    /// Sends it, and hangs up after so long without reading the answer.
    pub fn abandon(self, after: Duration) -> Result<()> {
        let stream = self.write()?;
        std::thread::sleep(after);
        stream.shutdown(Shutdown::Both).context("hanging up")
    }

    fn write(&self) -> Result<UnixStream> {
        let mut stream = UnixStream::connect(self.socket).with_context(|| self.socket.display().to_string())?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n",
            self.method.to_ascii_uppercase(),
            self.path,
            self.body.len(),
            self.headers
        );
        stream.write_all(&[head.as_bytes(), &self.body].concat())?;
        Ok(stream)
    }
}

impl Answer {
    /// The body of an answer that says that all is well.
    pub fn good(self) -> Result<Value> {
        ensure!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self.json()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| self.text())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and code of an error.
    pub fn refusal(&self) -> (u16, String) {
        let code = self.json().ok().and_then(|body| Some(body["error"]["code"].as_str()?.to_owned()));
        (self.status, code.unwrap_or_else(|| format!("no error: {}", self.text())))
    }
}

/// Reads an answer that ends where its connection does.
fn parse(answer: &[u8]) -> Result<Answer> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no head")?;
    let (head, body) = (std::str::from_utf8(&answer[..end])?, &answer[end + 4..]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
    let header = |name: &str| {
        let mut pairs = head.split("\r\n").filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    if let Some(len) = header("content-length") {
        ensure!(len.parse::<usize>()? == body.len(), "{} bytes of {len}", body.len());
    }
    let media_type = header("content-type").and_then(|given| given.split(';').next()).unwrap_or_default();
    Ok(Answer { status: status.parse()?, media_type: media_type.to_owned(), body: body.to_vec() })
}
