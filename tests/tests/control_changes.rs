//! Services change through the API, many times a second, while numbered datagrams and downloads flow: only those notice
//! that a change is about.
//!
//! `AXDP_CHANGES_SECS` is how long; a few seconds by default.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    thread::sleep,
    time::{Duration, Instant},
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        api::Api,
        client::Downloads,
        controlled::{Controlled, ServicesFile},
        server::Nginx,
        stream::NumberedStream,
        topology::{Family, VIP_V4},
        wait::wait_for,
    },
    live::rate,
    require_root,
};
use serde_json::{Value, json};

/// Of the numbered stream: never changed, but for the weights of its pool.
const STREAM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 44));
/// What the changes are about.
const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 50));
const PORT: u16 = 6000;
const CHANGES_PER_SEC: u32 = 20;
const DOWNLOADS: usize = 100;

fn how_long() -> Duration {
    let secs = std::env::var("AXDP_CHANGES_SECS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(secs.unwrap_or(12))
}

/// The stream's pool has both addresses of one host, so that its weights can change and all datagrams arrive at one
/// socket; downloads are on a pool of two hosts.
fn services(lab: &Lab) -> ServicesFile {
    let host = |home, family| lab.address_of_home(home, family);
    ServicesFile::default()
        .pool("stream", &[(host(0, Family::V4), 100), (host(0, Family::V6), 100)])
        .pool("web", &[(host(0, Family::V4), 100), (host(1, Family::V4), 100)])
        .pool("away", &[(host(1, Family::V4), 100), (host(1, Family::V6), 100)])
        .vip("stream", STREAM, "stream", "")
        .vip("web", VIP_V4, "web", "listeners = [\"tcp/80\"]\n")
        .vip("other", OTHER, "away", "")
}

/// One on each home host.
fn web_servers(lab: &Lab) -> Vec<Nginx> {
    let homes = lab.homes().enumerate();
    let servers = homes.map(|(number, home)| {
        let directory = lab.scratch.path().join(format!("home{number}"));
        std::fs::create_dir(&directory).expect("a directory of its own");
        Nginx::start(home, &directory, &[VIP_V4]).expect("nginx")
    });
    servers.collect()
}

/// One of all kinds of changes; `round` counts them.
fn change(api: &Api, lab: &Lab, round: u32, random: &mut fastrand::Rng) -> Value {
    let pools = ["away", "web", "stream"];
    let first = random.usize(..3);
    let (pool, fallback) = (pools[first], pools[(first + random.usize(1..3)) % 3]);
    let weight = json!({ "weight": random.u16(50..200) });
    let home = |home, family| lab.address_of_home(home, family);
    let send = |method: &str, path: &str, body: Value| api.change(method, &format!("{path}?force=true"), &body);
    let done = match round % 12 {
        0 => send("post", "/v1/vips/other/bind", json!({ "pools": [pool] })),
        1 => send("post", "/v1/vips/other/bind", json!({ "pools": [pool, fallback] })),
        2 => send("post", "/v1/vips/other/unbind", json!({})),
        3 => send("post", "/v1/vips", json!({ "name": "more", "address": "192.0.2.60", "pool": pool })),
        4 => {
            let backend = json!({ "address": home(1, Family::V6), "weight": random.u16(1..9) });
            send("post", "/v1/pools", json!({ "name": "fresh", "home_region": "shanghai", "backend": [backend] }))
        }
        5 => send("post", "/v1/vips/other/bind", json!({ "pools": ["fresh", "away"] })),
        6 => send("patch", &format!("/v1/pools/away/backends/{}", home(1, Family::V4)), weight),
        7 => {
            let listeners = [Value::Null, json!(["tcp/80"]), json!(["udp/6000-6100"])][random.usize(..3)].clone();
            let hash = ["5-tuple", "source", "addresses"][random.usize(..3)];
            let returns = ["direct", "pop"][random.usize(..2)];
            send("patch", "/v1/vips/other", json!({ "listeners": listeners, "hash": hash, "return": returns }))
        }
        8 => send("patch", &format!("/v1/pools/stream/backends/{}", home(0, Family::V6)), weight),
        9 => send("post", "/v1/vips/other/bind", json!({ "pools": ["away"] })),
        10 => send("delete", "/v1/pools/fresh", json!({})),
        _ => send("delete", "/v1/vips/more", json!({})),
    };
    done.unwrap_or_else(|error| panic!("change {round}: {error:#}"))
}

#[test]
fn changes_of_others_lose_no_packet_and_break_no_download() {
    require_root!();
    let controlled = Controlled::new(Topology::pop_and_home().homes(2), &[STREAM, VIP_V4, OTHER]).unwrap();
    let Controlled { lab, api, pop, .. } = &controlled;
    let _servers = web_servers(lab);
    api.apply(services(lab).text()).unwrap();
    let client = &lab.site().client;
    let downloads = Downloads::start(client, SocketAddr::new(VIP_V4, 80), "/large", 400_000, DOWNLOADS).unwrap();
    let spec = rate::lossless(client, &lab.home, SocketAddr::new(STREAM, PORT), 16).unwrap();

    let before = pop.stats().unwrap().vip_packets("stream", "forwarded");
    let stream = NumberedStream::start(client, &lab.home, &spec).unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    let (began, tick) = (Instant::now(), Duration::from_secs(1) / CHANGES_PER_SEC);
    let (mut took, mut applied) = (Vec::new(), BTreeSet::new());
    while began.elapsed() < how_long() {
        let round = took.len() as u32;
        let asked = Instant::now();
        change(api, lab, round, &mut random);
        took.push(asked.elapsed());
        applied.insert(api.get("/v1/reconciler").unwrap()["applied_revision"].as_u64().unwrap());
        sleep((began + tick * (round + 1)).saturating_duration_since(Instant::now()));
    }
    let per_sec = f64::from(took.len() as u32) / began.elapsed().as_secs_f64();
    let is_level = || (api.get("/v1/reconciler").unwrap()["state"] == "applied").then_some(());
    wait_for("the last change in the maps", Duration::from_secs(10), is_level).unwrap();
    let report = stream.stop().unwrap();
    let downloads = downloads.stop().unwrap();
    took.sort();
    let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{} changes, {per_sec:.1}/s, answered in {median:?}, the slowest in {slowest:?}", took.len());
    println!("the maps were seen at {} revisions", applied.len());
    println!("{report:?}");
    println!("{} downloads were whole, {} bytes, {} broke", downloads.whole, downloads.bytes, downloads.broken.len());
    assert_eq!((report.lost - report.receiver_overflows, report.duplicated), (0, 0), "{report:?}");
    assert_eq!(downloads.broken, []);
    assert!(downloads.whole >= DOWNLOADS as u64);
    let stats = pop.stats().unwrap();
    stats.assert_law();
    assert_eq!(stats.vip_packets("stream", "forwarded") - before, report.sent);
    assert_eq!((stats.vip_packets("stream", "dropped"), stats.vip_packets("web", "dropped")), (0, 0));
}

#[test]
fn weights_of_their_own_pool_move_no_download_to_another_host() {
    require_root!();
    let controlled = Controlled::new(Topology::pop_and_home().homes(3), &[VIP_V4]).unwrap();
    let Controlled { lab, api, .. } = &controlled;
    let _servers = web_servers(lab);
    let host = |home| lab.address_of_home(home, Family::V4);
    let file = ServicesFile::default().pool("web", &[(host(0), 100), (host(1), 100), (host(2), 100)]).vip(
        "web",
        VIP_V4,
        "web",
        "listeners = [\"tcp/80\"]\n",
    );
    api.apply(file.text()).unwrap();
    let client = &lab.site().client;
    let server = SocketAddr::new(VIP_V4, 80);
    let old = Downloads::start(client, server, "/large", 200_000, DOWNLOADS / 2).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let mut during = Vec::new();
    let began = Instant::now();
    let mut changes = 0;
    while began.elapsed() < how_long() / 3 {
        let path = format!("/v1/pools/web/backends/{}?wait=true", host(random.u8(..3)));
        api.change("patch", &path, &json!({ "weight": random.u16(20..300) })).unwrap();
        changes += 1;
        if changes % 8 == 1 {
            during.push(Downloads::start(client, server, "/large", 200_000, 10).unwrap());
        }
        sleep(Duration::from_millis(50));
    }
    let mut broken = old.stop().unwrap().broken;
    let begun = during.len() * 10;
    for one in during {
        broken.extend(one.stop().unwrap().broken);
    }
    println!("{changes} changes of weights, {} downloads before and {begun} while they were made", DOWNLOADS / 2);
    assert_eq!(broken, []);
}
