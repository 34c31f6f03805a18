//! A daemon whose disk is full, or may only be read: changes are refused and told, and everything else goes on.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        controlled::{Controlled, ServicesFile},
        stream::{NumberedStream, StreamSpec},
        topology::Family,
    },
    require_root,
};
use serde_json::{Value, json};

const STREAM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 44));
const PORT: u16 = 6000;
/// Room for a few revisions.
const SMALL: &str = "mount -t tmpfs -o size=512k tmpfs $store";
/// A disk that may only be read after its first error, as one that fails.
const FAILING: &str = "truncate --size 8M $store.img && mkfs.ext4 -q -O ^has_journal $store.img && \
    mount -o loop,errors=remount-ro $store.img $store";

/// A PoP whose store is on a disk of its own, which only its daemon sees, and a stream through it.
struct World {
    stream: Option<NumberedStream>,
    controlled: Controlled,
}

impl World {
    /// With a disk that this command mounts.
    fn new(mount: &str) -> Self {
        // The lab is not there yet when the daemon's words are chosen, so they find the directory by the store's path in
        // the configuration, which is the last word.
        let script = format!(
            "store=$(sed -n 's/^path = \"\\(.*\\)\\/.*\"$/\\1/p' \"${{!#}}\"); \
             mkdir -p $store && {mount} && exec \"$0\" \"$@\""
        );
        let words = ["unshare", "--mount", "bash", "-c", script.as_str()];
        let controlled = Controlled::behind(Topology::pop_and_home(), &[STREAM], &words).unwrap();
        controlled.api.apply(services(&controlled.lab, 0).text()).unwrap();
        let lab = &controlled.lab;
        let spec = StreamSpec::new(SocketAddr::new(STREAM, PORT), 5000).flows(8);
        let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();
        Self { stream: Some(stream), controlled }
    }

    /// Runs a command on the disk where the daemon sees it; what it says.
    fn on_disk(&self, words: &[&str]) -> String {
        let pid = self.controlled.pop.pid().unwrap();
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{pid}/ns/mnt")).args(words);
        command.arg(Controlled::store(&self.controlled.lab).parent().unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is in the API and in the maps.
    fn state(&self) -> (Value, Vec<Value>) {
        (self.controlled.api.get("/v1/vips").unwrap(), self.controlled.vips().unwrap())
    }

    fn assert_store_failed(&self, says: &[&str]) {
        let before = self.state();
        let body = json!({ "name": "more", "address": "192.0.2.99", "pool": "home" });
        for path in ["/v1/vips", "/v1/vips?wait=true"] {
            let refused = self.controlled.api.request("post", path).json(&body).send().unwrap();
            assert_eq!(refused.refusal(), (503, "store_failed".to_owned()), "{}", refused.text());
            let error = refused.json().unwrap()["error"].clone();
            eprintln!("{error}");
            assert!(says.iter().any(|word| error["message"].as_str().unwrap().contains(word)), "{error}");
            assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
        }
        assert_eq!(self.state(), before);
        let state = self.controlled.api.get("/v1/reconciler").unwrap();
        assert_eq!((&state["state"], &state["revision"]), (&json!("applied"), &state["applied_revision"]));
    }

    fn assert_goes_on(&self) {
        let before = self.controlled.api.get("/v1/version").unwrap()["revision"].as_u64().unwrap();
        let body = json!({ "name": "more", "address": "192.0.2.99", "pool": "home" });
        let made = self.controlled.api.change("post", "/v1/vips?wait=true", &body).unwrap();
        assert_eq!((&made["revision"], &made["applied"]), (&json!(before + 1), &json!(true)));
        assert!(self.controlled.vips().unwrap().iter().any(|vip| vip["name"] == "more"));
    }

    /// No datagram was lost in all that time.
    fn assert_whole(&mut self) {
        let report = self.stream.take().unwrap().stop().unwrap();
        eprintln!("{report:?}");
        assert_eq!((report.lost - report.receiver_overflows, report.duplicated), (0, 0), "{report:?}");
    }
}

/// A VIP for the stream, and many that are of no use but for their bytes.
fn services(lab: &Lab, round: u32) -> ServicesFile {
    let homes = [(lab.home_address(Family::V4), 100), (lab.home_address(Family::V6), 100)];
    let file = ServicesFile::default().pool("home", &homes).vip("stream", STREAM, "home", "");
    (100..150).fold(file, |file, host| {
        let labels = format!("labels = {{ round = \"{round}\" }}\n");
        file.vip(&format!("vip-{host}"), [192, 0, 2, host].into(), "home", &labels)
    })
}

#[test]
fn full_disk_is_told_and_forwarding_goes_on() {
    require_root!();
    let mut world = World::new(SMALL);
    let mut rounds = 0;
    let refused = loop {
        rounds += 1;
        let file = services(&world.controlled.lab, rounds);
        if let Err(error) = world.controlled.api.apply(file.text()) {
            break error.to_string();
        }
        assert!(rounds < 1000, "the disk is never full");
    };
    println!("full after {rounds} applies: {refused}");
    assert!(refused.contains("store_failed"), "{refused}");
    world.assert_store_failed(&["no space left"]);
    world.on_disk(&["mount", "-o", "remount,size=16m"]);
    world.assert_goes_on();
    world.assert_whole();
}

#[test]
fn disk_that_fails_under_a_daemon_is_told_and_forwarding_goes_on() {
    require_root!();
    if let Some(reason) = no_failing_disk() {
        println!("SKIPPED disk_that_fails_under_a_daemon_is_told_and_forwarding_goes_on: {reason}");
        return;
    }
    let mut world = World::new(FAILING);
    let device = world.on_disk(&["findmnt", "--noheadings", "--output", "SOURCE"]);
    let name = device.trim().trim_start_matches("/dev/");
    std::fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "1").unwrap();
    world.assert_store_failed(&["cannot be written", "cannot be opened", "reading or writing"]);
    world.assert_whole();
}

/// Why this machine has no such disk.
fn no_failing_disk() -> Option<String> {
    let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !filesystems.lines().any(|line| line.trim() == "ext4") || !Path::new("/dev/loop-control").exists() {
        return Some("this kernel has no ext4 or no loop devices".to_owned());
    }
    let is_there = Command::new("mkfs.ext4").arg("-V").output().is_ok();
    (!is_there).then(|| "there is no mkfs.ext4".to_owned())
}
