//! PoPs that probe, and home hosts that are gateways and servers.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Duration,
};

use anycast_tests::lab::{
    Lab, Topology,
    api::Api,
    client::{Connections, udp_servers},
    daemon::{Daemon, GatewayConfig, PopConfig},
    server::{Identity, Nginx, TcpEcho, UdpEcho, Unbound},
    topology::{Family, VIP_V4},
    wait::wait_for,
};
use serde_json::Value;

pub const HOMES: u8 = 3;
/// The home host that something happens to.
pub const LOST: u8 = 1;
pub const CONNECTIONS: usize = 200;

const TCP_PORT: u16 = 7000;
pub const UDP_PORT: u16 = 7001;
/// Where every home host says its number, whatever becomes of what is probed.
const NUMBER_PORT: u16 = 7002;
/// Each is a flow.
const FLOWS: Range<u16> = 20_000..20_060;

pub const INTERVAL: Duration = Duration::from_millis(500);
pub const TIMEOUT: Duration = Duration::from_millis(400);
pub const FALL: u32 = 3;
pub const RISE: u32 = 2;
/// How long after the last failed probe flows have moved, and the API tells of it.
pub const SLACK: Duration = Duration::from_millis(200);
/// For what is awaited and not measured.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which of the backends are up.
pub type Up = [bool; HOMES as usize];
pub const ALL_UP: Up = [true; HOMES as usize];

/// All but the lost one.
pub fn lost() -> Up {
    let mut up = ALL_UP;
    up[usize::from(LOST)] = false;
    up
}

/// What serves in a home host.
#[derive(Default)]
pub struct Servers {
    pub tcp: Option<TcpEcho>,
    pub udp: Option<UdpEcho>,
    pub web: Option<Nginx>,
    pub dns: Option<Unbound>,
    number: Option<UdpEcho>,
}

// Field order is drop order: daemons before the namespaces that they are in.
pub struct World {
    pub pops: Vec<Daemon>,
    gateways: Vec<Option<Daemon>>,
    pub servers: Vec<Servers>,
    vip_lines: &'static str,
    pub lab: Lab,
}

impl World {
    /// One PoP; `check` is its kind, `vip_lines` are of the VIP, `serve` starts what is probed in each home host.
    pub fn new(check: &str, vip_lines: &'static str, serve: fn(&mut Self, u8)) -> Self {
        Self::with(Topology::pop_and_home(), check, vip_lines, serve)
    }

    /// The same with the PoPs of a topology.
    pub fn with(topology: Topology, check: &str, vip_lines: &'static str, serve: fn(&mut Self, u8)) -> Self {
        let lab = topology.homes(HOMES).build().unwrap();
        let servers = (0..HOMES).map(|_| Servers::default()).collect();
        let mut world = Self { pops: Vec::new(), gateways: Vec::new(), servers, vip_lines, lab };
        world.start_gateways();
        for home in 0..HOMES {
            serve(&mut world, home);
            let number = UdpEcho::numbered(world.lab.homes().nth(home.into()).unwrap(), VIP_V4, NUMBER_PORT, home);
            world.servers[usize::from(home)].number = Some(number.unwrap());
        }
        let configs: Vec<_> = (0..world.lab.sites.len()).map(|number| world.config(number, check)).collect();
        let sites = world.lab.sites.iter().zip(&configs);
        let wanted: Vec<_> = sites.map(|(site, config)| (&site.pop, config.instance(), config.text())).collect();
        world.pops = Daemon::start_all(&world.lab.scratch, &wanted).unwrap();
        for pop in 0..world.pops.len() {
            world.await_states(pop, ALL_UP);
        }
        world
    }

    fn config(&self, pop: usize, check: &str) -> PopConfig {
        let site = &self.lab.sites[pop];
        let backends: Vec<IpAddr> = (0..HOMES).map(|home| self.address(home)).collect();
        PopConfig::new(&self.lab, site, &format!("pop{pop}"))
            .and(&format!("\n[health]\nsource_ipv4 = \"{}\"\n", site.tunnel_source(Family::V4)))
            .pool("home", &backends)
            .and(&format!(
                "\n[pool.health]\n{check}\ninterval = \"{}ms\"\ntimeout = \"{}ms\"\nfall = {FALL}\nrise = {RISE}\n",
                INTERVAL.as_millis(),
                TIMEOUT.as_millis()
            ))
            .vip_with_listeners("echo", VIP_V4, &["tcp/7000", "udp/7001", "udp/7002"], "home")
            .and(self.vip_lines)
    }

    fn gateway_config(&self, number: u8) -> GatewayConfig {
        let home = self.lab.homes().nth(number.into()).unwrap();
        GatewayConfig::of_home(&self.lab, number, home).vip("echo", VIP_V4).and(self.vip_lines)
    }

    /// Before PoPs: what they probe first is there.
    fn start_gateways(&mut self) {
        let configs: Vec<_> = (0..HOMES).map(|home| self.gateway_config(home)).collect();
        let homes = self.lab.homes().zip(&configs);
        let wanted: Vec<_> = homes.map(|(home, config)| (home, config.instance(), config.text())).collect();
        let daemons = Daemon::start_all(&self.lab.scratch, &wanted).unwrap();
        self.gateways = daemons.into_iter().map(Some).collect();
    }

    pub fn start_gateway(&mut self, number: u8) {
        let config = self.gateway_config(number);
        let home = self.lab.homes().nth(number.into()).unwrap();
        let daemon = Daemon::start(home, &self.lab.scratch, config.instance(), config.text()).unwrap();
        self.gateways[usize::from(number)] = Some(daemon);
    }

    /// The tunnel of the lost one ends: what comes to it is not taken out of its header any more.
    pub fn break_tunnel(&mut self) {
        self.gateways[usize::from(LOST)].take().unwrap().detach().unwrap();
    }

    /// TCP and UDP echo.
    pub fn start_echoes(&mut self, number: u8) {
        let home = self.lab.homes().nth(number.into()).unwrap();
        let servers = &mut self.servers[usize::from(number)];
        servers.tcp = Some(TcpEcho::start(home, VIP_V4, TCP_PORT, number).unwrap());
        servers.udp = Some(UdpEcho::start(home, VIP_V4, UDP_PORT).unwrap());
    }

    /// TCP echo, and nginx by HTTP and HTTPS.
    pub fn start_web(&mut self, number: u8) {
        let home = self.lab.homes().nth(number.into()).unwrap();
        let directory = self.lab.scratch.path().join(format!("web{number}"));
        fs::create_dir_all(&directory).unwrap();
        let pair = rcgen::generate_simple_self_signed(["www.example.com".to_owned()]).unwrap();
        let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
        fs::write(&certificate, pair.cert.pem()).unwrap();
        fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let identity = Identity { certificate: &certificate, key: &key };
        let web = Nginx::start_with_tls(home, &directory, &[VIP_V4], &identity).unwrap();
        let servers = &mut self.servers[usize::from(number)];
        servers.web = Some(web);
        servers.tcp.get_or_insert_with(|| TcpEcho::start(home, VIP_V4, TCP_PORT, number).unwrap());
    }

    /// TCP echo, and unbound.
    pub fn start_dns(&mut self, number: u8) {
        let home = self.lab.homes().nth(number.into()).unwrap();
        let directory = self.lab.scratch.path().join(format!("dns{number}"));
        fs::create_dir_all(&directory).unwrap();
        let dns = Unbound::start(home, &directory, &[VIP_V4]).unwrap();
        let servers = &mut self.servers[usize::from(number)];
        servers.dns = Some(dns);
        servers.tcp.get_or_insert_with(|| TcpEcho::start(home, VIP_V4, TCP_PORT, number).unwrap());
    }

    /// What the PoP tells of each backend, by home host.
    pub fn health(&self, pop: usize) -> Vec<Value> {
        let answer = Api::of(&self.pops[pop]).get("/v1/health").unwrap();
        let mut backends = answer["backends"].as_array().unwrap().clone();
        let order = |row: &Value| (0..HOMES).position(|home| row["backend"] == self.address(home).to_string());
        backends.sort_by_key(order);
        backends
    }

    pub fn address(&self, home: u8) -> IpAddr {
        self.lab.address_of_home(home, Family::V4)
    }

    /// Waits until a PoP holds the backends up or not, by probes that came to something.
    pub fn await_states(&self, pop: usize, up: Up) {
        let wanted = up.map(|up| if up { "up" } else { "down" });
        let is_so = || {
            let health = self.health(pop);
            let is_known = health.iter().all(|row| row["successes"].as_u64() > Some(0) || row["state"] == "down");
            let states: Vec<_> = health.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect();
            (is_known && states == wanted).then_some(())
        };
        if let Err(error) = wait_for("states of backends", PATIENCE, is_so) {
            panic!("{error:#}: {:#?}\n{}", self.health(pop), self.pops[pop].log());
        }
    }

    /// Waits until the tables of a PoP are those of this down set: what is written down is what they have been switched to.
    pub fn await_tables(&self, pop: usize, up: Up) {
        let is_so = || {
            let status = self.pops[pop].status().unwrap();
            let rows = status["backends"].as_array().unwrap();
            let is_down = |home: u8| {
                let address = self.address(home).to_string();
                rows.iter().find(|row| row["address"] == address).unwrap()["is_down_by_health"].as_bool().unwrap()
            };
            (0..HOMES).all(|home| is_down(home) != up[usize::from(home)]).then_some(())
        };
        wait_for("tables of these backends", PATIENCE, is_so).unwrap();
    }

    pub fn open(&self, count: usize) -> Connections {
        Connections::open(&self.lab.sites[0].client, SocketAddr::new(VIP_V4, TCP_PORT), count).unwrap()
    }

    /// The home host of each of some flows.
    pub fn flows(&self) -> Vec<u8> {
        udp_servers(&self.lab.sites[0].client, SocketAddr::new(VIP_V4, NUMBER_PORT), FLOWS).unwrap()
    }
}
