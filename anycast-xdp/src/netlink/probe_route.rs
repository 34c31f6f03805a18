//! The way of probes, whatever is published: packets with the mark of a probe have a routing table of their own, whose default
//! route is the interface that leads to the datapath.
//!
//! The routes to VIPs in the main table say what is published: they are gone when nothing can be served, and that it can again is for
//! probes to find out. While the interface is down the last route of the table refuses packets: no probe ever leaves by another
//! way, to a PoP that would answer it.

use std::io;

use anycast_common::probe::ProbeMark;
use libc::{
    EAFNOSUPPORT, EEXIST, ENOENT, ESRCH, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, RTM_DELROUTE,
    RTM_DELRULE, RTM_GETRULE, RTM_NEWROUTE, RTM_NEWRULE,
};
use netlink_packet_core::Parseable as _;
use netlink_packet_route::{
    AddressFamily,
    route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
    rule::{RuleAction, RuleAttribute, RuleMessage},
};

use super::socket::{AskError, Requests};

/// Number of the table, and of the rule that leads to it.
const TABLE: u8 = 201;
/// Before the rules of the main table, behind that of the local one.
const PRIORITY: u32 = 201;
/// As that of the routes of VIPs: whose they are.
const PROTOCOL: u8 = 201;
/// Of the route that refuses: behind every other.
const LAST_METRIC: u32 = u32::MAX - 1;

const FAMILIES: [AddressFamily; 2] = [AddressFamily::Inet, AddressFamily::Inet6];

/// Leads probes to an interface. What is there already stays.
///
/// # Errors
///
/// What the kernel refuses, or the socket's.
pub fn lead_probes(ifindex: u32) -> io::Result<()> {
    let mut requests = Requests::open()?;
    for family in FAMILIES {
        let replace = (NLM_F_CREATE | NLM_F_REPLACE) as u16;
        for route in [refusal(family), way(family, ifindex)] {
            done(requests.ask(RTM_NEWROUTE, replace, &route, |_, _| ()), &[])?;
        }
        let once = (NLM_F_CREATE | NLM_F_EXCL) as u16;
        done(requests.ask(RTM_NEWRULE, once, &rule(family), |_, _| ()), &[EEXIST])?;
    }
    Ok(())
}

/// Takes the rules away, and then the table. `false`: there was no rule.
///
/// # Errors
///
/// What the kernel refuses, or the socket's.
pub fn forget_probes() -> io::Result<bool> {
    let mut requests = Requests::open()?;
    let mut had_rule = false;
    for family in FAMILIES {
        // Who looks needs no rights: of a host without rules nobody is refused.
        if !has_rule(&mut requests, family)? {
            continue;
        }
        had_rule = true;
        done(requests.ask(RTM_DELRULE, 0, &rule(family), |_, _| ()), &[ENOENT, ESRCH])?;
        for mut route in [default_route(family, RouteType::Unicast), refusal(family)] {
            // Whatever it is.
            route.header.scope = RouteScope::NoWhere;
            done(requests.ask(RTM_DELROUTE, 0, &route, |_, _| ()), &[ENOENT, ESRCH])?;
        }
    }
    Ok(had_rule)
}

fn has_rule(requests: &mut Requests, family: AddressFamily) -> io::Result<bool> {
    let mut question = RuleMessage::default();
    question.header.family = family;
    let mut is_there = false;
    let asked = requests.ask(RTM_GETRULE, NLM_F_DUMP as u16, &question, |_, payload| {
        is_there |= RuleMessage::parse(payload).is_ok_and(|found| is_own(&found));
    });
    // No such family in this kernel.
    done(asked, &[EAFNOSUPPORT])?;
    Ok(is_there)
}

fn is_own(rule: &RuleMessage) -> bool {
    let has = |attribute| rule.attributes.contains(&attribute);
    rule.header.table == TABLE
        && has(RuleAttribute::Priority(PRIORITY))
        && has(RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)))
}

fn done(asked: Result<(), AskError>, fine: &[i32]) -> io::Result<()> {
    match asked {
        Err(AskError::Refused(error)) if error.raw_os_error().is_some_and(|code| fine.contains(&code)) => Ok(()),
        Err(AskError::Refused(error) | AskError::Socket(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}

fn rule(family: AddressFamily) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message.header.table = TABLE;
    message.header.action = RuleAction::ToTable;
    message.attributes.push(RuleAttribute::Priority(PRIORITY));
    message.attributes.push(RuleAttribute::FwMark(ProbeMark::SOCKET_PREFIX));
    message.attributes.push(RuleAttribute::FwMask(ProbeMark::SOCKET_MASK));
    message.attributes.push(RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)));
    message
}

fn default_route(family: AddressFamily, kind: RouteType) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = TABLE;
    message.header.protocol = RouteProtocol::Other(PROTOCOL);
    message.header.kind = kind;
    message
}

fn way(family: AddressFamily, ifindex: u32) -> RouteMessage {
    let mut message = default_route(family, RouteType::Unicast);
    // Without a gateway: IPv4 wants to be told that what it leads to is on the link, IPv6 has no scopes.
    message.header.scope = if family == AddressFamily::Inet { RouteScope::Link } else { RouteScope::Universe };
    message.attributes.push(RouteAttribute::Oif(ifindex));
    message
}

/// `prohibit`: who sends is told EACCES, and not that the VIP cannot be reached.
fn refusal(family: AddressFamily) -> RouteMessage {
    let mut message = default_route(family, RouteType::Prohibit);
    message.attributes.push(RouteAttribute::Priority(LAST_METRIC));
    message
}
