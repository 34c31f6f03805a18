//! Who may ask, and who did.

use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use anycast_tests::{
    lab::{Topology, controlled::Controlled},
    require_root,
};
use serde_json::Value;

use super::{pop, services};

/// An account of Debian's base system that is nobody's (`base-passwd`).
const NOBODY: &str = "65534";
/// Another one, not in the group of the first.
const DAEMON: &str = "1";

/// What curl says as another user, or why it could not ask.
fn curl(controlled: &Controlled, user: &str, group: &str, words: &[&str]) -> Result<Value, String> {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", group, "--clear-groups", "curl", "--silent", "--show-error"]);
    command.arg("--unix-socket").arg(controlled.api.socket()).args(words);
    let output = command.output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn another_user_is_refused_by_the_socket() {
    require_root!();
    let (controlled, _api) = pop();
    let socket = fs::metadata(controlled.api.socket()).unwrap();
    assert_eq!((socket.mode() & 0o777, socket.uid(), socket.gid()), (0o660, 0, 0));
    let refused = curl(&controlled, NOBODY, NOBODY, &["http://localhost/v1/version"]).unwrap_err();
    // curl: (7) failed to connect.
    assert!(refused.contains("(7)"), "{refused}");
    let root = curl(&controlled, "0", "0", &["http://localhost/v1/version"]).unwrap();
    assert_eq!(root["instance"], controlled.pop.instance());
}

#[test]
fn members_of_the_group_change_services_under_their_own_names() {
    require_root!();
    let lab = Topology::pop_and_home();
    let mut controlled = Controlled::new(lab, &[]).unwrap();
    let config = Controlled::host(&controlled.lab).and("\n[api]\ngroup = \"nogroup\"\n");
    controlled.pop.stop().unwrap();
    controlled.pop.write_config(config.text()).unwrap();
    controlled.pop.resume().unwrap();
    let socket = fs::metadata(controlled.api.socket()).unwrap();
    assert_eq!((socket.mode() & 0o777, socket.gid().to_string()), (0o660, NOBODY.to_owned()));

    controlled.api.apply(services(&controlled.lab).text()).unwrap();
    let unbind = ["--request", "POST", "http://localhost/v1/vips/web/unbind"];
    assert!(curl(&controlled, DAEMON, DAEMON, &unbind).is_err());
    assert_eq!(curl(&controlled, NOBODY, NOBODY, &unbind).unwrap()["revision"], 2);
    let bind = ["--json", "{\"pools\":[\"home\"]}", "http://localhost/v1/vips/web/bind"];
    // Of this number there is no user.
    assert_eq!(curl(&controlled, "54321", NOBODY, &bind).unwrap()["revision"], 3);
    let history = controlled.api.get("/v1/revisions").unwrap();
    let authors: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| &item["author"]).collect();
    assert_eq!(authors, ["uid 54321", "nobody", "root"]);
}
