//! A PoP and the router that it is wired to, twice, each in a network namespace of its own.
//!
//! | PoP | router | addresses (PoP `.1`, router `.2`) |
//! | --- | --- | --- |
//! | `bb0` | `r0` | 10.0.0.0/24, 2001:db8:0::/64, fe80:: |
//! | `bb1` | `r1` | 10.0.1.0/24, 2001:db8:1::/64, fe80:: |

use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use anycast_xdp::netlink::{Follower, Hop, NeighbourKey, Route, View};

use crate::namespace::{between, ifindex, run};

/// What nothing here takes: the slowest is a gateway that the kernel probes again, every five seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long after the kernel's change the view may follow.
pub const PROMPT: Duration = Duration::from_millis(50);

/// MAC of the router's end of link `index`.
pub const fn router_mac(index: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, index, 2]
}

/// The topology, seen from within the PoP's namespace.
pub struct Lab {
    router: String,
}

impl Lab {
    /// Builds the topology and runs a test in the PoP's namespace, on a thread and a runtime of its own.
    pub fn run<F>(test: &str, body: F)
    where
        F: AsyncFnOnce(Self) + Send + 'static,
    {
        let wire = |pop: &str, router: &str| {
            let lab = Self { router: router.to_owned() };
            lab.wire(pop);
            lab
        };
        between(test, "axnl", wire, body);
    }

    fn wire(&self, pop: &str) {
        let router = &self.router;
        for namespace in [pop, router] {
            run(&format!("ip -n {namespace} link set lo up"));
        }
        // The kernel tells of a lost carrier at once only if it sees two different ifindexes on the two ends; otherwise
        // up to a second later (`linkwatch_urgent_event`). This one shifts the router's.
        run(&format!("ip -n {router} link add shift type bridge"));
        for i in [0, 1] {
            run(&format!("ip link add bb{i} type veth peer name r{i} netns {router}"));
            for (namespace, end, host) in [(pop, "bb", 1), (router, "r", 2)] {
                run(&format!("ip -n {namespace} link set {end}{i} addrgenmode none"));
                run(&format!("ip -n {namespace} link set {end}{i} address 02:00:00:00:0{i}:0{host} up"));
                run(&format!("ip -n {namespace} addr add 10.0.{i}.{host}/24 dev {end}{i}"));
                run(&format!("ip -n {namespace} addr add 2001:db8:{i}::{host}/64 dev {end}{i} nodad"));
                run(&format!("ip -n {namespace} addr add fe80::{host}/64 dev {end}{i} nodad"));
            }
        }
    }

    /// The command that does this in the router's namespace.
    pub fn router_command(&self, command: &str) -> String {
        format!("nsenter --net=/run/netns/{} {command}", self.router)
    }

    /// Runs a command in the router's namespace.
    pub fn at_router(&self, command: &str) {
        run(&self.router_command(command));
    }
}

pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts.iter().map(|text| address(text)).collect()
}

pub fn hop(link: &str, via: &str, weight: u16) -> Hop {
    Hop { ifindex: ifindex(link), via: address(via), weight }
}

pub fn neighbour(link: &str, via: &str) -> NeighbourKey {
    NeighbourKey { ifindex: ifindex(link), address: address(via) }
}

/// What `ip neigh` says of one address.
pub fn ip_neigh(via: &str) -> String {
    run(&format!("ip neigh show to {via}"))
}

/// A follower and what is asked of it in tests.
pub struct Watched(pub Follower);

impl Watched {
    pub async fn start(destinations: &[&str]) -> Self {
        Self(Follower::start(addresses(destinations)).await.unwrap())
    }

    pub fn view(&self) -> &View {
        self.0.view()
    }

    pub fn route(&self, destination: &str) -> Option<&Route> {
        self.view().routes.get(&address(destination))
    }

    /// The hops of a route; none if there is no route.
    pub fn hops(&self, destination: &str) -> Vec<Hop> {
        self.route(destination).map(|route| route.hops.clone()).unwrap_or_default()
    }

    pub fn mac(&self, link: &str, via: &str) -> Option<[u8; 6]> {
        self.view().neighbours.get(&neighbour(link, via)).copied()
    }

    /// Follows changes until the view is as wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let wait = async {
            while !wanted(self) {
                self.0.changed().await.unwrap();
            }
        };
        let came = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        assert!(came, "never came: {what}; view: {:#?}", self.view());
    }

    /// Runs a command beside, follows changes until the view is as wanted, and says how long after the end of the
    /// command, by which time the kernel has made the change and sent its event, that was.
    pub async fn until_after(&mut self, command: &str, wanted: impl Fn(&Self) -> bool) -> Duration {
        assert!(!wanted(self), "so even before: {command}");
        let owned = command.to_owned();
        let started = Instant::now();
        let changing = tokio::task::spawn_blocking(move || {
            run(&owned);
            Instant::now()
        });
        self.until(command, wanted).await;
        let seen = Instant::now();
        let ended = changing.await.unwrap();
        let took = |to: Instant| to.saturating_duration_since(started).as_micros();
        eprintln!("view after {} us, end of command after {} us: {command}", took(seen), took(ended));
        seen.saturating_duration_since(ended)
    }

    /// Follows changes for a while; the view must stay what it is.
    pub async fn stays(&mut self, time: Duration) {
        let before = self.view().clone();
        let _ = tokio::time::timeout(time, self.0.changed()).await;
        assert_eq!(*self.view(), before);
    }
}
