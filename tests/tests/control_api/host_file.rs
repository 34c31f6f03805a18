//! The host's file beside the services.

use anycast_tests::{
    lab::{Topology, api::TOML, controlled::Controlled, deployment::Deployment},
    require_root,
};
use serde_json::{Value, json};

use super::{Checked, address, pop, services};

#[test]
fn changed_facts_of_the_host_keep_the_services() {
    require_root!();
    let (controlled, api) = pop();
    let before = (controlled.vips().unwrap(), api.ask("get", "/v1/export").text());
    let host = Controlled::host(&controlled.lab);
    controlled.pop.reload(host.clone().and("\n[icmp]\necho_rate_pps = 7\n").text()).unwrap();
    assert_eq!(controlled.pop.status().unwrap()["icmp"]["echo_rate_pps"], 7);
    assert_eq!((controlled.vips().unwrap(), api.ask("get", "/v1/export").text()), before);
    // And are changed as before.
    api.good("post", "/v1/vips/web/bind?wait=true", &json!({ "pools": ["away"] }));
    assert_eq!(controlled.vips().unwrap()[0]["pool"], "away");

    // A file that those services do not fit on is not taken.
    let other = host.text().replace("10.3.0.2", "10.4.0.2");
    let said = controlled.pop.reread(&other).unwrap();
    assert!(said.contains("not applied"), "{said}");
    // Nor is one that has services now.
    let said = controlled.pop.reread(&format!("{}{}", host.text(), services(&controlled.lab).text())).unwrap();
    assert!(said.contains("next start"), "{said}");
    api.good("post", "/v1/vips/web/bind?wait=true", &json!({ "pools": ["home"] }));
    assert_eq!(controlled.vips().unwrap()[0]["pool"], "home");
}

#[test]
fn services_of_the_hosts_file_are_shown_and_not_changed() {
    require_root!();
    let deployment = Deployment::new(Topology::pop_and_home()).unwrap();
    let api = Checked::new(anycast_tests::lab::api::Api::of(deployment.pop()));
    let version = api.good("get", "/v1/version", &Value::Null);
    assert_eq!((&version["source"], &version["revision"]), (&json!("file"), &json!(0)));
    assert_eq!(api.good("get", "/v1/vips", &Value::Null)["total"], 4);
    assert_eq!(api.good("get", "/v1/revisions", &Value::Null)["items"], json!([]));
    let file = api.ask("get", "/v1/export").text();
    let changes = [
        api.send("post", "/v1/vips", &json!({ "name": "more", "address": address(60), "pool": "v4in4" })),
        api.send("patch", "/v1/vips/v4in4", &json!({ "labels": { "a": "b" } })),
        api.ask("delete", "/v1/vips/v4in4"),
        api.ask("post", "/v1/vips/v4in4/unbind"),
        api.ask_with("post", "/v1/apply", |request| request.body(TOML, file.clone())),
    ];
    for refused in changes {
        assert_eq!(refused.refusal(), (409, "read_only".to_owned()), "{}", refused.text());
    }
    assert_eq!(api.ask("get", "/v1/export").text(), file);
}
