//! Outer marks meet inner ones: RFC 6040 section 4.2, figure 4. The outer DSCP is thrown away.

use anycast_common::outcome::Outcome;

use crate::fixture::{Row, gateway, outer, to, world::vip};

const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// Rows of the figure: the inner field, and what becomes of it by outer Not-ECT, ECT(0), ECT(1) and CE.
const FIGURE_4: [(u8, [Option<u8>; 4]); 4] = [
    (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
    (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(CE)]),
    (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
    (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
];
const COLUMNS: [u8; 4] = [NOT_ECT, ECT_0, ECT_1, CE];

/// AF41, in every inner packet.
const INNER_DSCP: u8 = 0x88;
/// CS6, in every outer packet.
const OUTER_DSCP: u8 = 0xc0;

pub fn rows() -> Vec<Row> {
    let mixes = [
        ("4in4", vip::WHOLE_V4_BY_V4, false),
        ("4in6", vip::WHOLE_V4_BY_V4, true),
        ("6in4", vip::WHOLE_V6_BY_V6, false),
        ("6in6", vip::WHOLE_V6_BY_V6, true),
    ];
    let cells = FIGURE_4
        .into_iter()
        .flat_map(|(inner, row)| COLUMNS.into_iter().zip(row).map(move |(outer, result)| (inner, outer, result)));
    cells.flat_map(|cell| mixes.map(|(mix, vip, is_v6)| of_cell(mix, vip, is_v6, cell))).collect()
}

fn of_cell(mix: &str, vip: &'static str, is_v6: bool, (inner, outer_ecn, result): (u8, u8, Option<u8>)) -> Row {
    let with = |ecn| to(vip).dscp_ecn(INNER_DSCP | ecn).udp(4321, 53).payload_len(5).build_ip();
    let packet = outer(is_v6).dscp_ecn(OUTER_DSCP | outer_ecn).encapsulating(&with(inner)).pad_to(130);
    let what = format!("{mix}: outer {} on inner {}", name(outer_ecn), name(inner));
    match result {
        Some(ecn) => gateway(format!("{what} gives {}", name(ecn)), packet).decapsulated(vip, with(ecn)),
        None => {
            gateway(format!("{what} drops"), packet).counted_as(with(inner).len()).dropped(vip, Outcome::EcnNotCapable)
        }
    }
}

fn name(ecn: u8) -> &'static str {
    ["Not-ECT", "ECT(1)", "ECT(0)", "CE"][usize::from(ecn)]
}
