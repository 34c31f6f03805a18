//! Configurations of routers that are not the operator's: carriers, and access routers of players.

use std::fmt::Write as _;

use super::{
    super::topology::{FAMILIES, Family},
    addresses::Net,
    plan::{ACCESS, CARRIERS, OPERATOR_AS, POPS, REGIONS},
};

/// A neighbour of a carrier.
struct Neighbour {
    net: Net,
    number: u32,
    preference: u32,
}

/// A carrier: transit for everybody, and the nearest PoP first.
pub(super) fn carrier(carrier: usize) -> String {
    let plan = CARRIERS[carrier];
    let mut text = format!(
        "hostname {}
bfd
 profile fast
  detect-multiplier 3
  transmit-interval 50
  receive-interval 50
 exit
exit
bgp community-list standard GRACEFUL-SHUTDOWN permit graceful-shutdown
",
        plan.name
    );
    let neighbours = neighbours(carrier);
    for Neighbour { number, preference, .. } in &neighbours {
        // RFC 8326 section 4.2: what drains comes last, whatever else is preferred.
        let _ = write!(
            text,
            "route-map IN-{number}-{preference} permit 10
 match community GRACEFUL-SHUTDOWN
 set local-preference 0
exit
route-map IN-{number}-{preference} permit 20
 set local-preference {preference}
exit
route-map OUT permit 10
exit
"
        );
    }
    let router_id = Net::AccessCarrier { access: 0, carrier: carrier as u8 }.address(Family::V4, 1);
    let _ = write!(
        text,
        "router bgp {}
 bgp router-id {router_id}
 no bgp default ipv4-unicast
",
        plan.number
    );
    for neighbour in &neighbours {
        for family in FAMILIES {
            // The carrier is host 1 of all of its networks.
            let address = neighbour.net.address(family, 2);
            let _ = write!(
                text,
                " neighbor {address} remote-as {}
 neighbor {address} bfd profile fast
 neighbor {address} timers 10 30
 neighbor {address} timers connect 1
 neighbor {address} advertisement-interval 0
",
                neighbour.number
            );
        }
    }
    for (family, name) in FAMILIES.into_iter().zip(["ipv4", "ipv6"]) {
        let _ = writeln!(text, " address-family {name} unicast");
        for (region, gateway) in homes_behind(carrier) {
            let _ = writeln!(text, "  network {}", Net::Gateway { region, gateway }.network(family));
        }
        for Neighbour { net, number, preference } in &neighbours {
            let address = net.address(family, 2);
            let _ = write!(
                text,
                "  neighbor {address} activate
  neighbor {address} route-map IN-{number}-{preference} in
  neighbor {address} route-map OUT out
"
            );
        }
        text.push_str(" exit-address-family\n");
    }
    text
}

fn neighbours(carrier: usize) -> Vec<Neighbour> {
    let number = carrier as u8;
    let pops = CARRIERS[carrier].pops.into_iter().zip([130, 120, 110]).map(|(pop, preference)| Neighbour {
        net: Net::Transit { carrier: number, border: pop as u8 },
        number: OPERATOR_AS,
        preference,
    });
    let customers = ACCESS.iter().zip(0..).filter(|(plan, _)| plan.carriers.contains(&carrier));
    let customers = customers.map(|(plan, access)| Neighbour {
        net: Net::AccessCarrier { access, carrier: number },
        number: plan.number,
        preference: 100,
    });
    pops.chain(customers).collect()
}

/// Region and gateway of each home host whose own addresses are reached by this carrier.
pub(super) fn homes_behind(carrier: usize) -> impl Iterator<Item = (u8, u8)> {
    let regions = REGIONS.iter().zip(0..).filter(move |(plan, _)| plan.exit.0 == carrier);
    regions.flat_map(|(plan, region)| (0..plan.gateways).map(move |gateway| (region, gateway)))
}

/// An access router: announces its players, prefers its exchange and then its carriers in their order, and carries
/// nothing from one neighbour to another.
pub(super) fn access(access: usize) -> String {
    let (plan, number) = (ACCESS[access], access as u8);
    let players = Net::Players { of: number };
    let mut text = format!(
        "router id {};
protocol device {{ }}
protocol direct {{ ipv4; ipv6; interface \"pl0\"; }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol kernel {{ ipv6 {{ import none; export where source = RTS_BGP; }}; }}
protocol bfd {{ interface \"*\" {{ min rx interval 50 ms; min tx interval 50 ms; multiplier 3; }}; }}
template bgp neighbours {{
  local as {}; direct; bfd on; hold time 30; connect retry time 1; connect delay time 1; error wait time 1, 5;
}}
",
        players.address(Family::V4, 1),
        plan.number
    );
    let carriers = plan.carriers.iter().zip([120, 110]).map(|(&carrier, preference)| {
        (Net::AccessCarrier { access: number, carrier: carrier as u8 }, CARRIERS[carrier].number, preference)
    });
    let exchange = plan.exchange.map(|pop| {
        debug_assert!(pop < POPS.len(), "a PoP of the plan");
        (Net::Exchange { access: number, border: pop as u8 }, OPERATOR_AS, 130)
    });
    for (net, neighbour, preference) in carriers.chain(exchange) {
        for (family, channel) in FAMILIES.into_iter().zip(["ipv4", "ipv6"]) {
            let _ = write!(
                text,
                "protocol bgp from neighbours {{
  neighbor {} as {neighbour};
  {channel} {{
    import filter {{ bgp_local_pref = {preference}; if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }};
    export where source = RTS_DEVICE;
  }};
}}
",
                net.address(family, 1)
            );
        }
    }
    text
}
