//! Every route, and what it does.

use anycast_tests::{
    lab::{
        api::{JSON, TOML},
        controlled::Controlled,
        topology::Family,
    },
    require_root,
};
use serde_json::{Value, json};

use super::{pop, services};

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn every_route_does_what_it_says_and_answers_as_described() {
    require_root!();
    let (controlled, api) = pop();
    let none = Value::Null;

    let version = api.good("get", "/v1/version", &none);
    assert_eq!((&version["source"], &version["role"]), (&json!("store"), &json!("pop")));
    assert_eq!((&version["revision"], &version["applied_revision"]), (&json!(1), &json!(1)));
    assert_eq!(version["instance"], controlled.pop.instance());
    assert_eq!(api.good("get", "/v1/openapi.json", &none), api.openapi);

    // Objects come, are read, change.
    let made = api.good("post", "/v1/prefixes", &json!({ "name": "lab", "prefix": "198.51.100.0/24" }));
    assert_eq!((&made["revision"], &made["changes"][0]["action"]), (&json!(2), &json!("create")));
    let backend = json!({ "address": "10.4.0.2", "weight": 10 });
    api.good("post", "/v1/pools", &json!({ "name": "spare", "home_region": "shanghai", "backend": [backend] }));
    let chat = json!({ "name": "chat", "address": "198.51.100.7", "pool": "spare", "labels": { "team": "game" } });
    api.good("post", "/v1/vips?wait=true", &chat);
    for (path, name) in [("prefixes", "lab"), ("pools", "spare"), ("vips", "chat")] {
        let one = api.good("get", &format!("/v1/{path}/{name}"), &none);
        assert_eq!((&one["revision"], &one["object"]["name"]), (&json!(4), &json!(name)));
    }
    api.good("patch", "/v1/prefixes/lab", &json!({ "labels": { "team": "game" } }));
    api.good("patch", "/v1/pools/spare", &json!({ "home_region": "beijing" }));
    let patched = api.good("patch", "/v1/vips/chat", &json!({ "listeners": ["tcp/80"], "labels": null }));
    let fields: Vec<_> = patched["changes"][0]["fields"].as_array().unwrap().iter().map(|it| &it["field"]).collect();
    assert_eq!(fields, ["labels", "listeners"], "{patched}");

    // Lists, whole and in parts.
    assert_eq!(names(&api.good("get", "/v1/pools", &none)), ["away", "home", "spare"]);
    let first = api.good("get", "/v1/vips?limit=1", &none);
    assert_eq!((names(&first), &first["total"], &first["next"]), (vec!["chat"], &json!(2), &json!("chat")));
    let rest = api.good("get", "/v1/vips?limit=1&after=chat", &none);
    assert_eq!((names(&rest), &rest["next"]), (vec!["web"], &none));
    assert_eq!(names(&api.good("get", "/v1/vips?contains=198.51", &none)), ["chat"]);
    assert_eq!(names(&api.good("get", "/v1/prefixes?label=team%3Dgame", &none)), ["lab"]);

    // Bindings and backends.
    api.good("post", "/v1/vips/web/bind?wait=true", &json!({ "pools": ["away", "home"] }));
    assert_eq!(api.good("post", "/v1/pools/away/failback", &none), json!({ "pool": "away", "moved": [] }));
    let web = api.good("get", "/v1/vips/web", &none);
    assert_eq!((&web["object"]["pool"], &web["object"]["fallback_pools"]), (&json!("away"), &json!(["home"])));
    api.good("post", "/v1/vips/web/unbind", &none);
    assert_eq!(api.good("get", "/v1/vips/web", &none)["object"].get("pool"), None);
    let drained = json!({ "state": "drain", "weight": 7 });
    let drained = api.good("patch", "/v1/pools/home/backends/fd00:4::2", &drained);
    let fields = drained["changes"][0]["fields"].as_array().unwrap();
    let of = |at: usize| (fields[at]["field"].as_str().unwrap(), &fields[at]["before"], &fields[at]["after"]);
    assert_eq!(of(0), ("backend[fd00:4::2].state", &none, &json!("drain")));
    assert_eq!(of(1), ("backend[fd00:4::2].weight", &json!(50), &json!(7)));

    // What is asked for in whole, and what it was.
    let head = api.good("get", "/v1/version", &none)["revision"].as_u64().unwrap();
    let file = services(&controlled.lab);
    let plan = api.ask_with("post", "/v1/plan", |request| request.body(TOML, file.text())).json().unwrap();
    assert_eq!((&plan["base_revision"], &plan["needs_force"]), (&json!(head), &json!(false)), "{plan}");
    let applied = api.ask_with("post", "/v1/apply?wait=true", |request| request.body(TOML, file.text()));
    let applied = applied.json().unwrap();
    assert_eq!((&applied["revision"], &applied["changes"]), (&json!(head + 1), &plan["changes"]));
    let diff = api.good("get", &format!("/v1/diff?from={head}"), &none);
    assert_eq!((&diff["to"], &diff["changes"]), (&json!(head + 1), &plan["changes"]));
    let same = api.good("get", &format!("/v1/diff?from=1&to={}", head + 1), &none);
    assert_eq!(same["changes"], json!([]));
    let back = api.good("post", "/v1/rollback?wait=true", &json!({ "revision": head }));
    assert_eq!((&back["revision"], &back["applied"]), (&json!(head + 2), &json!(true)));
    let history = api.good("get", "/v1/revisions?limit=2", &none);
    let actions: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
    assert_eq!(
        (actions, &history["next"]),
        (vec![&json!(format!("rollback {head}")), &json!("apply")], &json!(head + 1))
    );
    let older = api.good("get", &format!("/v1/revisions?before={}", head + 1), &none);
    assert_eq!(older["items"].as_array().unwrap().len() as u64, head);
    let reconciler = api.good("get", "/v1/reconciler", &none);
    assert_eq!((&reconciler["state"], &reconciler["applied_revision"]), (&json!("applied"), &json!(head + 2)));

    // What is published: nothing here, but a PoP can drain all the same.
    let pop = version["pop"].as_str().unwrap();
    assert_eq!(api.good("get", "/v1/publishing", &none)["interface"], none);
    let drained = api.good("post", "/v1/drain", &json!({ "scope": "pop" }));
    assert_eq!(drained["drain"], json!({ "host": false, "pop": true, "phase": "withdrawn" }));
    assert_eq!(api.good("get", &format!("/v1/pops/{pop}"), &none)["object"]["state"], "drain");
    assert_eq!(api.good("post", "/v1/undrain", &json!({ "scope": "pop" }))["drain"]["phase"], "none");
    let host = api.send("post", "/v1/drain", &json!({}));
    assert_eq!(host.refusal(), (422, "invalid".to_owned()));
    api.good("post", "/v1/pops", &json!({ "name": "shanghai" }));
    api.good("patch", "/v1/pops/shanghai", &json!({ "state": "drain" }));
    assert_eq!(names(&api.good("get", "/v1/pops?contains=drain", &none)), ["shanghai"]);

    // Health, from the address that tunnels begin at; nobody is at home.
    let source = controlled.lab.site().tunnel_source(Family::V4);
    let facts = Controlled::host(&controlled.lab).and(&format!("\n[health]\nsource_ipv4 = \"{source}\"\n"));
    controlled.pop.reload(facts.text()).unwrap();
    api.good("post", "/v1/vips/web/bind", &json!({ "pools": ["away"] }));
    api.good("patch", "/v1/pools/away?wait=true", &json!({ "health": { "type": "icmp" } }));
    let health = api.good("get", "/v1/health", &none);
    assert_eq!(health["backends"][0]["pool"], "away", "{health}");
    let probes = api.good("post", "/v1/health/check?pool=away", &none);
    assert_eq!(probes["probes"].as_array().unwrap().len(), 1, "{probes}");

    for path in ["/v1/vips/chat", "/v1/pools/spare", "/v1/prefixes/lab", "/v1/pops/shanghai"] {
        let gone = api.good("delete", path, &none);
        assert_eq!(gone["changes"][0]["action"], "delete");
    }
    let described = api.openapi["paths"].as_object().unwrap().iter();
    let described = described.flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone()))
    });
    // Text, with tests of their own.
    let described = described.filter(|(_, path)| !["/v1/export", "/metrics"].contains(&path.as_str())).collect();
    assert_eq!(*api.done.borrow(), described, "a route was not asked");
}

#[test]
fn what_is_exported_is_applied_as_nothing_new_in_toml_and_in_json() {
    require_root!();
    let (_controlled, api) = pop();
    let toml = api.ask("get", "/v1/export");
    assert_eq!(toml.media_type, TOML);
    let json = api.ask_with("get", "/v1/export?revision=1", |request| request.header("Accept", JSON));
    assert_eq!(json.media_type, JSON);
    for file in [&toml, &json] {
        let again = api.ask_with("post", "/v1/apply", |request| request.body(&file.media_type, file.body.clone()));
        let again = again.json().unwrap();
        assert_eq!((&again["revision"], &again["changes"]), (&json!(1), &json!([])));
    }
    // And all of it comes back from nothing.
    for path in ["/v1/vips/web?force=true", "/v1/pools/home", "/v1/pools/away"] {
        api.good("delete", path, &Value::Null);
    }
    api.ask_with("post", "/v1/apply?wait=true", |request| request.body(TOML, toml.body.clone()));
    assert_eq!(api.ask("get", "/v1/export").text(), toml.text());
}
