//! Every code of an error, and when it comes.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anycast_tests::{
    lab::{api::TOML, wait::wait_for},
    require_root,
};
use serde_json::{Value, json};

use super::{address, pop, services};

#[test]
fn refusals_have_their_codes_and_change_nothing() {
    require_root!();
    let (controlled, api) = pop();
    let vip = |name: &str, host: u8| json!({ "name": name, "address": address(host), "pool": "home" });
    let backend = json!({ "weight": 5 });
    let refused: &[(&str, &str, Value, u16, &str)] = &[
        ("post", "/v1/vips", json!([1]), 400, "bad_request"),
        ("post", "/v1/vips", json!({ "address": "192.0.2.9" }), 400, "bad_request"),
        ("post", "/v1/vips/web/bind", json!({ "pools": ["away"], "pool": "home" }), 400, "bad_request"),
        ("post", "/v1/vips/web/bind", json!({ "pools": [] }), 400, "bad_request"),
        ("post", "/v1/rollback", json!({}), 400, "bad_request"),
        ("patch", "/v1/vips/web", json!({ "name": "other" }), 400, "bad_request"),
        ("patch", "/v1/pools/home/backends/10.4.0", backend.clone(), 400, "bad_request"),
        ("patch", "/v1/pools/home/backends/10.4.0.2", json!({ "weight": 65_536 }), 400, "bad_request"),
        ("post", "/v1/apply", json!({ "routes": [] }), 400, "bad_request"),
        ("post", "/v1/apply", json!({ "vips": [vip("a", 1), vip("a", 2)] }), 400, "bad_request"),
        ("delete", "/v1/vips/web?force=yes", Value::Null, 400, "bad_request"),
        ("get", "/v1/vips?limits=1", Value::Null, 400, "bad_request"),
        ("get", "/v1/vips?label=team", Value::Null, 400, "bad_request"),
        ("get", "/v1/diff", Value::Null, 400, "bad_request"),
        ("get", "/v1/export?revision=first", Value::Null, 400, "bad_request"),
        ("get", "/v1/vips/nobody", Value::Null, 404, "not_found"),
        ("patch", "/v1/vips/nobody", json!({}), 404, "not_found"),
        ("delete", "/v1/pools/nobody", Value::Null, 404, "not_found"),
        ("post", "/v1/vips/nobody/unbind", Value::Null, 404, "not_found"),
        ("patch", "/v1/pools/home/backends/10.9.9.9", backend, 404, "not_found"),
        ("get", "/v1/export?revision=9", Value::Null, 404, "not_found"),
        ("get", "/v1/diff?from=1&to=9", Value::Null, 404, "not_found"),
        ("post", "/v1/rollback", json!({ "revision": 9 }), 404, "not_found"),
        ("post", "/v1/vips", vip("web", 51), 409, "exists"),
        ("post", "/v1/vips?if_revision=7", vip("more", 51), 409, "conflict"),
        ("delete", "/v1/vips/web", Value::Null, 409, "needs_force"),
        ("post", "/v1/vips", vip("more", 50), 422, "invalid"),
        ("post", "/v1/vips", json!({ "name": "more", "address": "203.0.113.1" }), 422, "invalid"),
        ("post", "/v1/vips", json!({ "name": "more", "address": "192.0.2.9", "color": 1 }), 422, "invalid"),
        ("post", "/v1/vips/web/bind", json!({ "pools": ["nowhere"] }), 422, "invalid"),
        ("delete", "/v1/pools/home", Value::Null, 422, "invalid"),
        ("delete", "/v1/prefixes/anycast-v4", Value::Null, 422, "invalid"),
    ];
    for (method, path, body, status, code) in refused {
        let answer = if body.is_null() { api.ask(method, path) } else { api.send(method, path, body) };
        assert_eq!(answer.refusal(), (*status, (*code).to_owned()), "{method} {path} {body}: {}", answer.text());
        let error = &answer.json().unwrap()["error"];
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.ends_with('.'), "{message}");
    }
    for body in ["{", "\u{0}", "[[vip]]"] {
        let answer = api.ask_with("post", "/v1/vips", |request| request.body("application/json", body));
        assert_eq!(answer.refusal(), (400, "bad_request".to_owned()), "{body}");
    }
    let bytes = api.ask_with("post", "/v1/apply", |request| request.body(TOML, [0xff, 0xfe]));
    assert_eq!(bytes.refusal(), (400, "bad_request".to_owned()));
    assert_eq!(controlled.api.get("/v1/version").unwrap()["revision"], 1);
    assert_eq!(controlled.vips().unwrap().len(), 1);
}

#[test]
fn findings_name_lines_of_toml_and_fields_of_json() {
    require_root!();
    let (controlled, api) = pop();
    let file = services(&controlled.lab).vip("twice", address(50), "nowhere", "listeners = [\"tcp/0\"]\n");
    for path in ["/v1/plan", "/v1/apply"] {
        let answer = api.ask_with("post", path, |request| request.body(TOML, file.text()));
        assert_eq!(answer.refusal(), (422, "invalid".to_owned()));
        let findings = answer.json().unwrap()["error"]["findings"].clone();
        let findings = findings.as_array().unwrap();
        assert!(findings.len() >= 3, "all of them at once: {findings:?}");
        assert!(findings.iter().all(|finding| finding["line"].as_u64().is_some_and(|line| line > 1)), "{findings:?}");
        assert!(findings.iter().any(|finding| finding["field"] == "vip[1].listeners[0]"), "{findings:?}");
    }
    let wrong = api.send("patch", "/v1/vips/web", &json!({ "listeners": ["tcp/0"] })).json().unwrap();
    let finding = &wrong["error"]["findings"][0];
    assert_eq!((&finding["field"], finding.get("line")), (&json!("vip.web.listeners[0]"), None));
}

#[test]
fn unknown_paths_and_methods_are_not_found() {
    require_root!();
    let (_controlled, api) = pop();
    let unknown = [
        ("get", "/"),
        ("get", "/v1"),
        ("get", "/v2/version"),
        ("get", "/v1/routes"),
        ("get", "/v1/vips/"),
        ("get", "/v1/vips/web/bind"),
        ("get", "/v1/apply"),
        ("put", "/v1/vips/web"),
        ("delete", "/v1/vips"),
        ("post", "/v1/version"),
        ("options", "/v1/vips"),
        ("get", "/v1/vips/../version"),
    ];
    for (method, path) in unknown {
        let answer = api.ask(method, path);
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{method} {path}");
    }
}

#[test]
fn maps_that_refuse_a_change_are_told_and_take_it_later() {
    require_root!();
    let (controlled, api) = pop();
    // What the maps hold is written down before they change; a file cannot take the place of a directory.
    let inventory = inventory_below(&Path::new("/run/anycast-xdp").join(controlled.pop.instance())).unwrap();
    let kept = fs::read(&inventory).unwrap();
    fs::remove_file(&inventory).unwrap();
    fs::create_dir(&inventory).unwrap();
    fs::write(inventory.join("in the way"), "").unwrap();
    let refused = api.send("post", "/v1/vips/web/bind?wait=true", &json!({ "pools": ["away"] }));
    assert_eq!(refused.refusal(), (500, "not_applied".to_owned()), "{}", refused.text());
    assert_eq!(refused.json().unwrap()["error"]["revision"], 2);
    let state = api.good("get", "/v1/reconciler", &Value::Null);
    assert_eq!(
        (&state["revision"], &state["applied_revision"], &state["state"]),
        (&json!(2), &json!(1), &json!("failed"))
    );
    assert!(state["error"].as_str().unwrap().contains("inventory"), "{state}");

    fs::remove_dir_all(&inventory).unwrap();
    fs::write(&inventory, kept).unwrap();
    let is_applied = || (api.good("get", "/v1/reconciler", &Value::Null)["state"] == "applied").then_some(());
    wait_for("the change that was refused", Duration::from_secs(10), is_applied).unwrap();
    assert_eq!(controlled.vips().unwrap()[0]["pool"], "away");
}

/// The file of the generation of maps that runs; a new instance has one.
fn inventory_below(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries.filter(|entry| !entry.file_type().unwrap().is_symlink()).find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { inventory_below(&path) } else { path.ends_with("inventory.json").then_some(path) }
    })
}
