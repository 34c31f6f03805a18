//! Metrics of real daemons: what they tell, where they are asked for, and what rules and dashboard make of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    net::IpAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        daemon::{Daemon, PopConfig},
        topology::Family,
        wait::wait_for,
    },
    require_root,
};
use anycast_xdp::metrics::{catalogue::FAMILIES, descriptor::Kind};

const LISTEN: &str = "127.0.0.1:9464";

/// Families without series here: nobody looked for drift, no NIC has lost anything, no VIP is withdrawn, and no probe was answered.
const MAY_BE_EMPTY: [&str; 4] = [
    "anycast_xdp_health_probe_duration_seconds",
    "anycast_xdp_reconciler_drift_entries",
    "anycast_xdp_interface_nic_errors_total",
    "anycast_xdp_publishing_withheld_vips",
];

/// A PoP whose services are in its store: `labelled` and `web` with labels, `plain` without.
struct Pop {
    daemon: Daemon,
    lab: Lab,
}

fn vip(host: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, host])
}

/// The host's own facts.
fn host(lab: &Lab, listen: &str, top_vips: u32) -> PopConfig {
    let store = lab.scratch.path().join("metrics.db");
    PopConfig::new(lab, lab.site(), "pop0").and(&format!(
        "\n[publish]\n\n[health]\nsource_ipv4 = \"{}\"\n\n[store]\npath = \"{}\"\n\n[metrics]\nlisten = \"{listen}\"\ntop_vips = {top_vips}\n",
        lab.site().tunnel_source(Family::V4),
        store.display()
    ))
}

impl Pop {
    fn start(top_vips: u32) -> Self {
        let lab = Topology::pop_and_home().build().unwrap();
        let config = host(&lab, LISTEN, top_vips);
        let daemon = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap();
        let bare = PopConfig::new(&lab, lab.site(), "pop0");
        let services = bare
            .clone()
            .and("\n[[prefix]]\nname = \"anycast-v4\"\nprefix = \"192.0.2.0/24\"\n")
            .pool("home", &[lab.home_address(Family::V4)])
            .and("\n[pool.health]\ntype = \"icmp\"\n")
            .vip("labelled", vip(44), "home")
            .and("labels = { team = 'the \"A\" team', tier = \"1\" }\n")
            .vip_with_listeners("web", vip(80), &["tcp/80"], "home")
            .and("labels = { team = \"web\" }\n")
            .vip("plain", vip(90), "home");
        let services = services.text().strip_prefix(bare.text()).unwrap();
        let file = lab.scratch.write("services.toml", services).unwrap();
        let pop = Self { daemon, lab };
        let apply = format!("-H Content-Type:application/toml --data-binary @{}", file.display());
        pop.api(&apply, "v1/apply?wait=true");
        pop
    }

    fn curl(&self, words: &str) -> String {
        self.lab.site().pop.run(&format!("curl --silent --show-error --fail --max-time 20 {words}")).unwrap()
    }

    fn api(&self, options: &str, path: &str) -> String {
        let socket = Path::new("/run/anycast-xdp").join(self.daemon.instance()).join("api.sock");
        self.curl(&format!("{options} --unix-socket {} http://localhost/{path}", socket.display()))
    }

    fn scrape(&self) -> Exposition {
        Exposition(self.curl(&format!("http://{LISTEN}/metrics")))
    }

    /// Five packets to each VIP, which nobody answers.
    fn traffic(&self) {
        for host in [44, 80, 90] {
            let _ = self.lab.site().client.run(&format!("ping -q -c 5 -i 0.1 -W 1 {}", vip(host)));
        }
    }
}

/// An exposition in the text format from before OpenMetrics.
struct Exposition(String);

impl Exposition {
    /// Value by name and labels.
    fn samples(&self) -> BTreeMap<&str, &str> {
        let mut samples = BTreeMap::new();
        for line in self.0.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(series, value).is_none(), "{series} twice");
        }
        samples
    }

    fn value(&self, series: &str) -> u64 {
        let samples = self.samples();
        samples.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.0)).parse().unwrap()
    }

    fn names(&self) -> BTreeSet<String> {
        self.samples().keys().map(|series| series.split('{').next().unwrap().to_owned()).collect()
    }
}

const RULES: &str = include_str!("../../packaging/prometheus/anycast-xdp.rules.yml");
const DASHBOARD: &str = include_str!("../../packaging/grafana/anycast-xdp.json");

/// Every metric of ours that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("anycast_xdp_")).map(str::to_owned).collect()
}

/// Every query of the dashboard as a rule (JSON is YAML), with a time in the place of the variable that Grafana knows.
fn dashboard_as_rules() -> String {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let rules = targets.enumerate().map(|(number, target)| {
        let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
        serde_json::json!({ "record": format!("query_{number}"), "expr": query })
    });
    let rules: Vec<_> = rules.collect();
    assert!(rules.len() > 20, "{rules:?}");
    serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string()
}

#[test]
fn metrics_have_what_stats_tells_and_what_rules_and_dashboard_ask_for() {
    require_root!();
    let pop = Pop::start(0);
    let first = pop.scrape();
    assert_eq!(first.value("anycast_xdp_vip_received_packets_total{vip=\"_other\"}"), 0);
    pop.traffic();

    let metrics = pop.scrape();
    let stats = pop.daemon.stats().unwrap();
    for name in ["labelled", "web"] {
        let received = format!("anycast_xdp_vip_received_packets_total{{vip=\"{name}\"}}");
        assert_eq!(metrics.value(&received), stats.vip_packets(name, "received"), "{name}");
        for outcome in ["forwarded", "answered", "passed", "dropped"] {
            let labels = format!("{{vip=\"{name}\",direction=\"in\",outcome=\"{outcome}\"}}");
            let packets = metrics.value(&format!("anycast_xdp_vip_packets_total{labels}"));
            assert_eq!(packets, stats.vip_packets(name, outcome), "{name} {outcome}");
            let bytes = metrics.value(&format!("anycast_xdp_vip_bytes_total{labels}"));
            assert_eq!(Some(bytes), stats.vip(name)[outcome]["bytes"].as_u64(), "{name} {outcome}");
        }
    }
    assert_eq!(stats.vip_packets("labelled", "forwarded"), 5);
    let dropped = r#"anycast_xdp_vip_dropped_packets_total{vip="web",direction="in",reason="no_listener"}"#;
    assert_eq!(metrics.value(dropped), 5);
    assert_eq!(metrics.value("anycast_xdp_vip_received_packets_total{vip=\"_other\"}"), 5);
    let info = r#"anycast_xdp_vip_info{vip="labelled",address="192.0.2.44",pools="home",label_team="the \"A\" team",label_tier="1"}"#;
    assert_eq!(metrics.value(info), 1);
    let home = pop.lab.home_address(Family::V4);
    let backend = format!("anycast_xdp_backend_packets_total{{pool=\"home\",backend=\"{home}\"}}");
    assert_eq!(metrics.value(&backend), stats.backend_packets(home));
    assert_eq!(metrics.value("anycast_xdp_vips"), 3);
    assert_eq!(metrics.value("anycast_xdp_vips_with_series"), 2);
    assert_eq!(metrics.value("anycast_xdp_reconciler_applied_revision"), 1);
    assert_eq!(metrics.value("anycast_xdp_store_revisions"), 1);
    let applied = r#"anycast_xdp_api_request_duration_seconds_count{operation="POST /v1/apply",status="200"}"#;
    assert_eq!(metrics.value(applied), 1);

    let mut names = metrics.names();
    names.extend(MAY_BE_EMPTY.map(str::to_owned));
    for (what, text) in [("rules", RULES), ("dashboard", DASHBOARD)] {
        let asked = named(text);
        assert!(asked.len() > 10, "{what}");
        assert_eq!(asked.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new(), "{what}");
    }
    // The catalogue is all that there is, and all of it is there.
    let told = FAMILIES.iter().flat_map(|(_, families)| *families).flat_map(|family| match family.kind {
        Kind::Histogram => ["_bucket", "_count", "_sum"].map(|suffix| format!("{}{suffix}", family.name)).to_vec(),
        Kind::Counter | Kind::Gauge | Kind::Info => vec![family.sample_name()],
    });
    assert_eq!(names, told.collect::<BTreeSet<_>>());
}

#[test]
fn metrics_are_in_two_formats_and_at_the_socket_too() {
    require_root!();
    let pop = Pop::start(10);
    let ask = "-H Accept:application/openmetrics-text;version=1.0.0,text/plain;q=0.5 -i";
    for answer in [pop.curl(&format!("{ask} http://{LISTEN}/metrics")), pop.api(ask, "metrics")] {
        assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
        assert!(
            answer.contains("# TYPE anycast_xdp_vip_bytes counter\n# UNIT anycast_xdp_vip_bytes bytes\n"),
            "{answer}"
        );
    }
    let plain = pop.api("-i", "metrics");
    assert!(plain.contains("content-type: text/plain; version=0.0.4"), "{plain}");
    assert_eq!(pop.scrape().names(), Exposition(pop.api("", "metrics")).names());
    assert!(pop.api("", "v1/openapi.json").contains("\"/metrics\""));

    assert!(pop.curl(&format!("http://{LISTEN}/")).contains("/metrics"));
    let status = |options: &str, path: &str| {
        let run =
            format!("curl --silent --output /dev/null --write-out %{{http_code}} {options} http://{LISTEN}/{path}");
        pop.lab.site().pop.run(&run).unwrap()
    };
    assert_eq!(status("", "v1/vips"), "404");
    assert_eq!(status("--request POST", "metrics"), "405");
}

#[test]
fn metrics_move_with_the_file_and_stay_where_they_cannot() {
    require_root!();
    let pop = Pop::start(0);
    pop.traffic();
    let listens = |address: &str| {
        let ask = format!("curl --silent --fail --output /dev/null --max-time 20 http://{address}/metrics");
        pop.lab.site().pop.run(&ask).is_ok()
    };
    let moved = "127.0.0.1:9465";
    pop.daemon.reload(host(&pop.lab, moved, 1).text()).unwrap();
    wait_for("the new address", Duration::from_secs(10), || listens(moved).then_some(())).unwrap();
    assert!(!listens(LISTEN));
    // Only `plain` has no labels, and it has series of its own now.
    let metrics = Exposition(pop.curl(&format!("http://{moved}/metrics")));
    let plain = pop.daemon.stats().unwrap().vip_packets("plain", "received");
    assert_eq!(metrics.value("anycast_xdp_vip_received_packets_total{vip=\"plain\"}"), plain);

    // An address of nobody here.
    pop.daemon.reload(host(&pop.lab, "198.51.100.1:9464", 1).text()).unwrap();
    let said = "the metrics stay where they are: [metrics] listen: cannot listen at 198.51.100.1:9464";
    wait_for("the refusal", Duration::from_secs(10), || pop.daemon.log().contains(said).then_some(())).unwrap();
    assert!(listens(moved));
}

#[test]
fn metrics_that_cannot_be_served_are_an_error_at_start() {
    require_root!();
    let lab = Topology::pop_and_home().build().unwrap();
    let config = host(&lab, "198.51.100.1:9464", 0);
    let refused = Daemon::start(&lab.site().pop, &lab.scratch, config.instance(), config.text()).unwrap_err();
    let said = format!("{refused:#}");
    assert!(said.contains("[metrics] listen: cannot listen at 198.51.100.1:9464"), "{said}");
    assert!(!Path::new("/sys/fs/bpf/anycast-xdp").join(config.instance()).exists());
}

#[test]
fn promtool_finds_nothing_to_mend() {
    require_root!();
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("SKIPPED promtool_finds_nothing_to_mend: no promtool (package prometheus)");
        return;
    }
    let pop = Pop::start(10);
    let queries = pop.lab.scratch.write("dashboard.rules.yml", dashboard_as_rules()).unwrap();
    let rules = pop.lab.scratch.write("alerts.rules.yml", RULES).unwrap();
    for rules in [rules, queries] {
        let rules = Command::new("promtool").args(["check", "rules"]).arg(rules).output().unwrap();
        assert!(rules.status.success(), "{}", String::from_utf8_lossy(&rules.stderr));
    }
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metrics.rules.test.yml");
    let alerts = Command::new("promtool").args(["test", "rules"]).arg(alerts).output().unwrap();
    assert!(alerts.status.success(), "{}", String::from_utf8_lossy(&alerts.stdout));

    pop.traffic();
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().unwrap();
    check.stdin.take().unwrap().write_all(pop.scrape().0.as_bytes()).unwrap();
    let check = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&check.stderr).into_owned() + &String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && said.is_empty(), "{said}");
}
