//! The client and daemons that behave, and that do not.

use std::{
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::json;

use super::*;
use crate::{
    api::types::{ChangeQuery, ErrorCode, ExportQuery, ListQuery},
    documents::{Key, Kind},
};

/// A daemon that takes one request and gives one answer, byte by byte as written here.
struct Daemon {
    directory: tempfile::TempDir,
    asked: JoinHandle<String>,
}

impl Daemon {
    fn answering(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::doing(move |stream| stream.write_all(answer.as_bytes()).unwrap())
    }

    fn doing(act: impl FnOnce(&mut UnixStream) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("api.sock")).unwrap();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let asked = read_request(&mut stream);
            act(&mut stream);
            asked
        });
        Self { directory, asked }
    }

    fn client(&self) -> Client {
        Client::new(self.directory.path().join("api.sock"))
    }

    fn asked(self) -> String {
        self.asked.join().unwrap()
    }
}

fn read_request(stream: &mut UnixStream) -> String {
    let (mut asked, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        asked.push_str(str::from_utf8(&buffer[..count]).unwrap());
        let Some((head, body)) = asked.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().parse().unwrap());
        if body.len() >= length {
            return asked;
        }
    }
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

const CHANGED: &str = r#"{"revision": 7, "applied": true, "changes": [], "new": "unknown here"}"#;

#[tokio::test]
async fn change_is_asked_for_with_its_parameters_and_answered_with_all_that_was_said() {
    let daemon = Daemon::answering(&response("200 OK", CHANGED));
    let query = ChangeQuery { if_revision: Some(6), force: false, wait: true };
    let key = Key::new(Kind::Vip, "web");
    let answer = daemon.client().update(&key, json!({ "hash": null }), &query).await.unwrap();
    assert_eq!((answer.value.revision, answer.value.applied), (7, true));
    assert_eq!(answer.json["new"], "unknown here");
    let asked = daemon.asked();
    assert!(asked.starts_with("PATCH /v1/vips/web?if_revision=6&force=false&wait=true HTTP/1.1\r\n"), "{asked}");
    assert!(asked.to_lowercase().contains("content-type: application/json\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n{\"hash\":null}"), "{asked}");
}

#[tokio::test]
async fn parameters_are_written_so_that_they_stay_whole() {
    let daemon = Daemon::answering(&response("200 OK", r#"{"revision":1,"total":0,"items":[],"next":null}"#));
    let query = ListQuery { limit: Some(5), contains: Some("a&b=c é".to_owned()), ..ListQuery::default() };
    daemon.client().list(Kind::Prefix, &query).await.unwrap();
    let asked = daemon.asked();
    assert!(asked.starts_with("GET /v1/prefixes?limit=5&contains=a%26b%3Dc+%C3%A9 HTTP/1.1\r\n"), "{asked}");
}

#[tokio::test]
async fn file_is_sent_as_it_is() {
    let daemon = Daemon::answering(&response("200 OK", CHANGED));
    let body = Body::Text { media_type: "application/toml", text: "# mine\n[[vip]]\n".to_owned() };
    daemon.client().apply(body, &ChangeQuery::default()).await.unwrap();
    let asked = daemon.asked();
    assert!(asked.starts_with("POST /v1/apply?force=false&wait=false HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n# mine\n[[vip]]\n"), "{asked}");
}

#[tokio::test]
async fn export_is_asked_for_as_toml_and_given_as_it_is() {
    let text = "[[vip]]\nname = \"web\"\n";
    let daemon = Daemon::answering(&response("200 OK", text));
    assert_eq!(daemon.client().export_toml(&ExportQuery::default()).await.unwrap(), text);
    assert!(daemon.asked().to_lowercase().contains("accept: application/toml\r\n"));
}

#[tokio::test]
async fn refusal_is_told_as_the_daemon_tells_it() {
    let body = r#"{"error": {"code": "not_found", "message": "no vip `web`"}}"#;
    let daemon = Daemon::answering(&response("404 Not Found", body));
    match daemon.client().get(&Key::new(Kind::Vip, "web")).await {
        Err(ClientError::Refused(refusal)) => assert_eq!(refusal.error.code, ErrorCode::NotFound),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn answers_of_something_else_are_alien() {
    for answer in [
        response("200 OK", "<html>"),
        response("200 OK", "{}"),
        response("404 Not Found", "not found"),
        response("500 Internal Server Error", r#"{"error": {"code": "of_tomorrow", "message": "?"}}"#),
        response("302 Found", ""),
    ] {
        let told = Daemon::answering(&answer).client().version().await;
        assert!(matches!(told, Err(ClientError::Alien { .. })), "{answer}: {told:?}");
    }
}

#[tokio::test]
async fn answers_that_break_off_are_broken() {
    for answer in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "SSH-2.0-OpenSSH_9.9\r\n"] {
        let told = Daemon::answering(answer).client().version().await;
        assert!(matches!(told, Err(ClientError::Broken { .. })), "{answer:?}: {told:?}");
    }
}

#[tokio::test]
async fn daemon_that_says_nothing_is_given_up() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let daemon = Daemon::doing(move |_| _ = held.recv());
    let told = daemon.client().with_timeout(Duration::from_millis(50)).version().await;
    drop(hold);
    assert!(matches!(told, Err(ClientError::Timeout { .. })), "{told:?}");
}

#[tokio::test]
async fn nobody_listens_without_a_socket_and_behind_a_stale_one() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("api.sock");
    for is_stale in [false, true] {
        if is_stale {
            drop(UnixListener::bind(&socket).unwrap());
        }
        let told = Client::new(&socket).version().await;
        assert!(matches!(told, Err(ClientError::NoDaemon { .. })), "{is_stale}: {told:?}");
    }
}

/// Root may open any socket.
#[tokio::test]
async fn socket_of_others_is_denied_and_its_group_is_named() {
    if nix::unistd::geteuid().is_root() {
        eprintln!("skipped: root is denied nothing");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let socket: PathBuf = directory.path().join("api.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    match Client::new(&socket).version().await {
        Err(ClientError::Denied { group, .. }) => assert!(group.is_some()),
        other => panic!("{other:?}"),
    }
}
