//! A gateway that takes GRE without a key remembers that as well.

use anycast_tests::oracle::tables::Tunnel;

use crate::{
    fixture::{Row, world::GUE_PORT},
    returns_remembered::of_tunnel,
};

pub fn rows() -> Vec<Row> {
    [Tunnel::Ipip, Tunnel::Gre, Tunnel::Gue]
        .into_iter()
        .flat_map(|tunnel| of_tunnel(tunnel, GUE_PORT, "no keys"))
        .collect()
}
