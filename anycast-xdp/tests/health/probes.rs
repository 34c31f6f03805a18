//! Single probes of every type, over both families, to servers that are well and to some that are not. The host has no route to a
//! VIP but that of probes: each success is also one of the marks.

use std::time::{Duration, Instant};

use anycast_xdp::{
    desired::Check,
    health::probe::{ProbeError, Subject, probe, steps::Steps},
};

use super::{
    lab::{Lab, ipv4, ipv6, subject},
    namespace::run,
    servers,
};

async fn of(vip: std::net::IpAddr, check: Check) -> Result<(), ProbeError> {
    told(&subject(vip, check)).await
}

async fn told(subject: &Subject) -> Result<(), ProbeError> {
    let mut steps = Steps::told();
    let result = probe(subject, &mut steps).await;
    for step in steps.into_steps() {
        eprintln!("{:>9.3} ms  {}", step.after.as_secs_f64() * 1000.0, step.what);
    }
    eprintln!("{result:?}\n");
    result
}

fn http(port: u16, tls: bool, host: Option<&str>, path: &str) -> Check {
    Check::Http { port, tls, host: host.map(str::to_owned), path: path.to_owned(), status: 200..=399 }
}

#[test]
fn icmp_is_answered_by_both_families_and_only_by_what_is_there() {
    Lab::run("icmp", async |lab| {
        for vip in [ipv4(1), ipv6(1)] {
            of(vip, Check::Icmp).await.unwrap();
            lab.kill(vip);
            let error = of(vip, Check::Icmp).await.unwrap_err();
            assert_eq!(error.to_string(), "no echo reply within 2s");
        }
    });
}

#[test]
fn tcp_is_connected_or_refused_and_leaves_nothing_behind() {
    Lab::run("tcp", async |lab| {
        let directory = tempfile::tempdir().unwrap();
        let _nginx = servers::nginx(&lab, directory.path());
        for vip in [ipv4(1), ipv6(1)] {
            of(vip, Check::Tcp { port: 80 }).await.unwrap();
            let error = of(vip, Check::Tcp { port: 81 }).await.unwrap_err();
            assert!(matches!(&error, ProbeError::Refused { what: "connect", .. }), "{error}");
        }
        // Reset, not closed: no TIME_WAIT on either side. The last reset may be on its way yet, which takes no second.
        assert_eq!(run("ss -Htan"), "");
        let began = Instant::now();
        loop {
            let left =
                lab.command_at_home("ss").args(["-Htan", "state", "all", "exclude", "listening"]).output().unwrap();
            let left = String::from_utf8(left.stdout).unwrap();
            if left.is_empty() {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(1), "{left}");
        }
    });
}

/// Nothing to accept: the connection was reset before it was complete.
#[test]
fn service_hears_nothing_of_tcp_probes() {
    Lab::run("unheard", async |lab| {
        let (accepted, has_accepted) = std::sync::mpsc::channel();
        let (listening, is_listening) = std::sync::mpsc::channel();
        lab.thread_at_home(move || {
            let listener = std::net::TcpListener::bind("[::]:81").unwrap();
            listening.send(()).unwrap();
            listener.incoming().for_each(|stream| accepted.send(stream.is_ok()).unwrap());
        });
        is_listening.recv().unwrap();
        for vip in [ipv4(1), ipv6(1)] {
            for _ in 0..20 {
                of(vip, Check::Tcp { port: 81 }).await.unwrap();
            }
            // One that is complete is heard.
            let error = of(vip, http(81, false, None, "/")).await.unwrap_err();
            eprintln!("{error}");
            assert_eq!(has_accepted.recv_timeout(Duration::from_secs(2)), Ok(true));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(has_accepted.try_recv().is_err());
    });
}

#[test]
fn http_and_https_are_judged_by_their_status() {
    Lab::run("http", async |lab| {
        let directory = tempfile::tempdir().unwrap();
        let _nginx = servers::nginx(&lab, directory.path());
        for vip in [ipv4(1), ipv6(1)] {
            for (port, tls) in [(80, false), (443, true)] {
                for path in ["/", "/moved"] {
                    of(vip, http(port, tls, None, path)).await.unwrap();
                }
                of(vip, http(port, tls, Some("www.example"), "/host")).await.unwrap();
                let error = of(vip, http(port, tls, None, "/host")).await.unwrap_err();
                assert_eq!(error.to_string(), "status 404 Not Found, not of 200 to 399");
                let error = of(vip, http(port, tls, None, "/broken")).await.unwrap_err();
                assert_eq!(error.to_string(), "status 503 Service Unavailable, not of 200 to 399");
            }
            // TLS is not what is spoken there.
            let error = of(vip, http(80, true, None, "/")).await.unwrap_err();
            assert!(matches!(&error, ProbeError::Refused { what: "TLS", .. }), "{error}");
        }
    });
}

#[test]
fn udp_is_judged_by_the_beginning_of_the_answer() {
    Lab::run("udp", async |lab| {
        servers::udp_echo(&lab, &[ipv4(1), ipv6(1)]);
        let udp = |port, expect: &[u8]| Check::Udp { port, send: b"ping\0".to_vec(), expect: expect.to_vec() };
        for vip in [ipv4(1), ipv6(1)] {
            for expect in [&b""[..], b"pong", b"pong\0"] {
                of(vip, udp(7, expect)).await.unwrap();
            }
            let error = of(vip, udp(7, b"pang")).await.unwrap_err();
            assert_eq!(error.to_string(), "the answer begins with \"pong\", not with \"pang\"");
            let error = of(vip, udp(8, b"")).await.unwrap_err();
            assert!(matches!(&error, ProbeError::Refused { what: "answer", .. }), "{error}");
        }
    });
}

#[test]
fn dns_is_answered_without_an_error() {
    Lab::run("dns", async |lab| {
        let directory = tempfile::tempdir().unwrap();
        let _unbound = servers::unbound(&lab, directory.path());
        let dns = |name: &str| Check::Dns { port: 53, name: name.to_owned() };
        for vip in [ipv4(1), ipv6(1)] {
            of(vip, dns("health.example")).await.unwrap();
            let error = of(vip, dns("other.example")).await.unwrap_err();
            assert_eq!(error.to_string(), "the answer has the error NXDOMAIN");
        }
    });
}

#[test]
fn what_this_host_cannot_send_says_nothing_of_the_backend() {
    Lab::run("own", async |_| {
        let udp = Check::Udp { port: 7, send: Vec::new(), expect: Vec::new() };
        for check in [Check::Icmp, Check::Tcp { port: 80 }, udp] {
            let mut without_source = subject(ipv4(1), check.clone());
            without_source.source = [10, 9, 9, 9].into();
            let error = told(&without_source).await.unwrap_err();
            assert!(error.is_own(), "{check:?}: {error}");
        }
        // The way of probes is gone: none of them goes another way.
        run("ip route add default via 10.3.0.1");
        run("ip link set h0 down");
        run("ip link add other type bridge");
        run("ip addr add 10.3.0.9/24 dev other");
        run("ip link set other up");
        for check in [Check::Icmp, Check::Tcp { port: 80 }] {
            let error = of(ipv4(1), check.clone()).await.unwrap_err();
            assert!(error.is_own(), "{check:?}: {error}");
        }
    });
}
