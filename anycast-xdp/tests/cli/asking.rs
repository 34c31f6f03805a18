//! Verbs that ask the daemon, and what becomes of its answers.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
    process::Output,
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{NO_INSTANCE, code, command, run, stderr, stdout};

/// Every verb that asks the daemon.
const ASKING: [&[&str]; 17] = [
    &["create", "vip", "web", "--address", "192.0.2.10"],
    &["create", "pool", "home", "--backend", "10.4.0.2"],
    &["create", "prefix", "anycast-v4", "--prefix", "192.0.2.0/24"],
    &["get", "vip", "web"],
    &["list", "vips"],
    &["update", "vip", "web", "--set", "pool=home"],
    &["delete", "vip", "web"],
    &["vip", "bind", "web", "home", "spare"],
    &["vip", "unbind", "web"],
    &["backend", "drain", "home", "10.4.0.2"],
    &["backend", "weight", "home", "10.4.0.2", "50"],
    &["plan", "-f", "/dev/null"],
    &["apply", "-f", "/dev/null"],
    &["export"],
    &["history"],
    &["diff", "1"],
    &["rollback", "1"],
];

#[test]
fn verbs_that_ask_exit_3_without_a_daemon_and_tell_where_it_should_listen() {
    for verb in ASKING {
        let output = run(&[verb, &["--instance", NO_INSTANCE]].concat());
        assert_eq!(code(&output), 3, "{verb:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{verb:?}");
        let told = format!(
            "no daemon of instance `{NO_INSTANCE}` listens at /run/anycast-xdp/{NO_INSTANCE}/api.sock\n  help: start it with"
        );
        assert!(stderr(&output).starts_with(&told), "{verb:?}: {}", stderr(&output));
    }
}

#[test]
fn socket_comes_from_the_option_and_from_the_environment() {
    let option = run(&["history", "--socket", "/nonexistent/a.sock"]);
    let environment = command(&["history"]).env("ANYCAST_XDP_SOCKET", "/nonexistent/b.sock").output().unwrap();
    for (output, socket) in [(option, "/nonexistent/a.sock"), (environment, "/nonexistent/b.sock")] {
        assert_eq!(code(&output), 3);
        assert!(stderr(&output).contains(socket), "{}", stderr(&output));
    }
}

/// A daemon that gives these answers, one after the other; the socket is in the directory.
fn daemon_answering(status: &str, bodies: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(directory.path().join("api.sock")).unwrap();
    let answer = |body: &&str| format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answers: Vec<_> = bodies.iter().map(answer).collect();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            // Without a body a request is one read.
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    directory
}

fn run_against(directory: &TempDir, args: &[&str]) -> Output {
    command(args).env("ANYCAST_XDP_SOCKET", directory.path().join("api.sock")).output().unwrap()
}

#[test]
fn answer_is_shown_as_text_and_given_whole_as_json() {
    let answer = r#"{"revision": 7, "object": {"name": "web", "address": "192.0.2.10"}, "new": [1]}"#;
    let output = run_against(&daemon_answering("200 OK", &[answer]), &["get", "vip", "web"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "vip       web\nrevision  7\naddress   192.0.2.10\n");
    let output = run_against(&daemon_answering("200 OK", &[answer]), &["get", "vip", "web", "--output", "json"]);
    let (given, whole): (Value, Value) =
        (serde_json::from_str(stdout(&output)).unwrap(), serde_json::from_str(answer).unwrap());
    assert_eq!(given, whole);
}

#[test]
fn refusal_is_told_on_stderr_and_given_as_json_on_stdout() {
    let answer = r#"{"error": {"code": "needs_force", "message": "1 of 1 VIPs would go", "hint": "add --force"}}"#;
    let args = ["delete", "vip", "web"];
    let output = run_against(&daemon_answering("409 Conflict", &[answer]), &args);
    assert_eq!((code(&output), stdout(&output)), (7, ""));
    assert_eq!(stderr(&output), "error: 1 of 1 VIPs would go\n  help: add --force\n");
    let args = [&args[..], &["--output", "json"]].concat();
    let output = run_against(&daemon_answering("409 Conflict", &[answer]), &args);
    assert_eq!(code(&output), 7);
    let given: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(given["error"]["code"], "needs_force");
}

#[test]
fn list_reads_all_pages_and_begins_again_when_others_change_them() {
    let page = |revision: u64, name: &str, next: &str| {
        format!(r#"{{"revision": {revision}, "total": 2, "items": [{{"name": "{name}"}}], "next": {next}}}"#)
    };
    let answers = [page(1, "a1", "\"a1\""), page(2, "b1", "null"), page(2, "a2", "\"a2\""), page(2, "b2", "null")];
    let answers = answers.each_ref().map(String::as_str);
    let output = run_against(&daemon_answering("200 OK", &answers), &["list", "vips", "--output", "json"]);
    assert_eq!((code(&output), stderr(&output)), (0, ""));
    let given: Value = serde_json::from_str(stdout(&output)).unwrap();
    let wanted = json!({ "revision": 2, "total": 2, "items": [{ "name": "a2" }, { "name": "b2" }], "next": null });
    assert_eq!(given, wanted);
    let output = run_against(&daemon_answering("200 OK", &answers[..1]), &["list", "vips", "--limit", "1"]);
    assert_eq!((code(&output), stderr(&output)), (0, "1 of 2 are shown; --limit says how many\n"));
}

#[test]
fn export_writes_the_file_as_the_daemon_gives_it() {
    let text = "[[vip]]\nname = \"web\"\n";
    let daemon = daemon_answering("200 OK", &[text, text]);
    assert_eq!(stdout(&run_against(&daemon, &["export"])), text);
    let file = daemon.path().join("services.toml");
    let output = run_against(&daemon, &["export", "--revision", "3", "-o", file.to_str().unwrap()]);
    assert_eq!((code(&output), stdout(&output)), (0, ""));
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
}

#[test]
fn plan_exits_6_with_changes_and_0_without() {
    let change = r#"{"action": "delete", "kind": "vip", "name": "web", "fields": []}"#;
    for (changes, wanted) in [("", 0), (change, 6)] {
        let answer = format!(r#"{{"base_revision": 3, "changes": [{changes}], "needs_force": false}}"#);
        let output = run_against(&daemon_answering("200 OK", &[&answer]), &["plan", "-f", "/dev/null"]);
        assert_eq!((code(&output), stderr(&output)), (wanted, ""), "{}", stdout(&output));
    }
}
