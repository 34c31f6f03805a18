//! Somebody else writes to the tables under a running daemon: it is found, told and taken back, and what was not touched
//! loses nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anycast_tests::{
    lab::{
        Topology,
        controlled::{Controlled, ServicesFile},
        stream::{NumberedStream, StreamSpec},
        topology::Family,
        wait::wait_for,
    },
    require_root,
};
use anycast_xdp::dataplane::pins::Pins;
use aya::maps::{Array, HashMap, Map, MapData};

const STREAM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 44);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 50);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
/// Looks at the tables are ten seconds apart.
const FOUND_WITHIN: Duration = Duration::from_secs(15);

/// The pinned tables of the PoP, as any tool has them.
struct Pinned(Pins);

impl Pinned {
    fn map(&self, name: &str) -> Map {
        Map::from_map_data(MapData::from_pin(self.0.maps().join(name)).unwrap()).unwrap()
    }

    fn keys(&self) -> HashMap<MapData, [u8; 4], u32> {
        self.map("VIP4").try_into().unwrap()
    }

    fn pools(&self) -> Array<MapData, u64> {
        self.map("POOLS").try_into().unwrap()
    }

    /// Number and value of the first pool that is set.
    fn first_pool(&self) -> (u32, u64) {
        let pools = self.pools();
        (1..pools.len()).map(|index| (index, pools.get(&index, 0).unwrap())).find(|(_, cell)| *cell != 0).unwrap()
    }
}

#[test]
fn what_others_write_is_found_told_and_taken_back() {
    require_root!();
    let vips = [STREAM, OTHER].map(IpAddr::V4);
    let controlled = Controlled::new(Topology::pop_and_home(), &vips).unwrap();
    let Controlled { lab, api, pop, .. } = &controlled;
    let home = lab.address_of_home(0, Family::V4);
    let services = ServicesFile::default()
        .pool("home", &[(home, 100)])
        .pool("away", &[(lab.address_of_home(0, Family::V6), 100)])
        .vip("other", vips[1], "away", "")
        .vip("stream", vips[0], "home", "");
    api.apply(services.text()).unwrap();
    let is_found = |entries: u64| (api.get("/v1/reconciler").unwrap()["drift"].as_u64() == Some(entries)).then_some(());
    wait_for("look at the tables", FOUND_WITHIN, || is_found(0)).unwrap();
    let spec = StreamSpec::new(SocketAddr::new(vips[0], 6000), 5000).flows(8);
    let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();

    let pinned = Pinned(Pins::of(pop.instance()));
    let index = pinned.keys().get(&OTHER.octets(), 0).unwrap();
    pinned.keys().remove(&OTHER.octets()).unwrap();
    pinned.keys().insert(FOREIGN.octets(), index, 0).unwrap();
    let spare = pinned.pools().len() - 1;
    pinned.pools().set(spare, 7, 0).unwrap();
    wait_for("drift of three entries", FOUND_WITHIN, || is_found(3)).unwrap();

    assert_eq!(pinned.keys().get(&OTHER.octets(), 0).unwrap(), index);
    assert!(pinned.keys().get(&FOREIGN.octets(), 0).is_err());
    assert_eq!(pinned.pools().get(&spare, 0).unwrap(), 0);
    let log = pop.log();
    assert!(log.contains("others wrote to the tables") && log.contains("VIPs 192.0.2.50 192.0.2.66"), "{log}");

    // A cell that packets of the other VIP read: of the pool whose name is the first.
    let (pool, cell) = pinned.first_pool();
    pinned.pools().set(pool, cell ^ 1 << 40, 0).unwrap();
    wait_for("drift of a pool", FOUND_WITHIN, || is_found(1)).unwrap();
    assert_eq!(pinned.first_pool(), (pool, cell));
    wait_for("look that finds nothing", FOUND_WITHIN, || is_found(0)).unwrap();
    let report = stream.stop().unwrap();
    assert_eq!((report.lost, report.duplicated), (0, 0), "{report:?}");
}
