//! Answers and maps.

use std::time::Duration;

use anycast_tests::{
    lab::{controlled::Controlled, wait::wait_for},
    require_root,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{address, pop};

#[test]
fn a_change_that_waits_is_in_the_maps_when_it_is_answered() {
    require_root!();
    let (controlled, api) = pop();
    for round in 0..10 {
        let pools = if round % 2 == 0 { ["away", "home"] } else { ["home", "away"] };
        let bound = api.good("post", "/v1/vips/web/bind?wait=true", &json!({ "pools": pools }));
        assert_eq!(bound["applied"], true);
        let vips = controlled.vips().unwrap();
        let web = vips.iter().find(|vip| vip["name"] == "web").unwrap();
        assert_eq!((&web["pool"], &web["fallback_pools"][0]), (&json!(pools[0]), &json!(pools[1])));
        let host = 100 + round;
        let vip = json!({ "name": format!("vip-{round}"), "address": address(host), "pool": "home" });
        api.good("post", "/v1/vips?wait=true", &vip);
        assert_eq!(controlled.vips().unwrap().len(), usize::from(round) + 2);
        let state = api.good("get", "/v1/reconciler", &Value::Null);
        assert_eq!((&state["state"], &state["revision"]), (&json!("applied"), &state["applied_revision"]));
    }
}

#[test]
fn a_change_whose_author_hangs_up_is_made_whole_or_not_at_all() {
    require_root!();
    let (controlled, api) = pop();
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..30 {
        let label = json!({ "labels": { "round": round.to_string() } }).to_string();
        let request = controlled.api.request("patch", "/v1/vips/web").body("application/json", label);
        request.abandon(Duration::from_micros(random.u64(..6000))).unwrap();
        // The next one is not told of a conflict with what nobody knows of.
        let wanted = if round % 2 == 0 { "away" } else { "home" };
        api.good("post", "/v1/vips/web/bind?wait=true", &json!({ "pools": [wanted] }));
    }
    let request = controlled.api.request("post", "/v1/vips/web/unbind");
    request.abandon(Duration::from_millis(2)).unwrap();
    let store = Connection::open(Controlled::store(&controlled.lab)).unwrap();
    let is_level = || {
        let head: i64 = store.query_row("SELECT max(revision) FROM revisions", [], |row| row.get(0)).unwrap();
        let state = api.good("get", "/v1/reconciler", &Value::Null);
        (state["revision"] == head && state["applied_revision"] == head).then_some(head)
    };
    let head = wait_for("store, API and maps of one revision", Duration::from_secs(5), is_level).unwrap();
    println!("30 changes whose author hung up, revision {head}");
}
