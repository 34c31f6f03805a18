//! The questions to the kernel and the orders to it, one function each.

use std::{collections::BTreeMap, io, net::IpAddr};

use libc::{
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, RTM_GETLINK, RTM_GETNEIGH, RTM_GETROUTE, RTM_NEWLINK, RTM_NEWNEIGH,
    RTM_NEWROUTE,
};
use netlink_packet_core::{DecodeError, Emitable};
use netlink_packet_route::neighbour::NeighbourMessage;
use tracing::warn;

use super::{
    NeighbourKey,
    fib::{self, FibEntry, Member},
    link::{self, LinkFacts},
    neighbour::{self, Entry},
    nexthop::{self, Nexthop, RTM_GETNEXTHOP, RTM_NEWNEXTHOP},
    socket::{AskError, Requests},
};

/// A kernel of one network namespace. Errors are those of the socket: what the kernel refuses is there as `None`.
pub(super) struct Kernel(Requests);

impl Kernel {
    pub fn open() -> io::Result<Self> {
        Requests::open().map(Self)
    }

    /// Waits until a change of a link that was announced has reached the routes.
    ///
    /// The kernel sends the event of a link before it has marked the routes on it (`__dev_notify_flags`), and answers
    /// IPv6 route questions without the lock that it does both under (`RTNL_FLAG_DOIT_UNLOCKED`). A link question
    /// takes that lock; the answer does not matter.
    pub fn settle(&mut self) -> io::Result<()> {
        const LOOPBACK_IFINDEX: u32 = 1;
        self.link(LOOPBACK_IFINDEX).map(|_| ())
    }

    /// The unicast route of one destination.
    pub fn route(&mut self, destination: IpAddr) -> io::Result<Option<FibEntry>> {
        let question = fib::question(destination);
        let entry = self.one(RTM_GETROUTE, RTM_NEWROUTE, &question, |payload| fib::reply(destination, payload))?;
        let Some(mut entry) = entry.flatten() else { return Ok(None) };
        if let (Some(id), true) = (entry.nexthop_id, entry.members.is_empty()) {
            entry.members = self.nexthop_members(id)?;
        }
        Ok(Some(entry))
    }

    /// The members of a nexthop object. A group has no groups in it, so this goes one level down at most.
    fn nexthop_members(&mut self, id: u32) -> io::Result<Vec<Member>> {
        let group = match self.nexthop(id)? {
            None => return Ok(Vec::new()),
            Some(Nexthop::Single(member)) => return Ok(member.into_iter().collect()),
            Some(Nexthop::Group(group)) => group,
        };
        let mut members = Vec::new();
        for (id, weight) in group {
            if let Some(Nexthop::Single(Some(member))) = self.nexthop(id)? {
                members.push(Member { weight, ..member });
            }
        }
        Ok(members)
    }

    fn nexthop(&mut self, id: u32) -> io::Result<Option<Nexthop>> {
        self.one(RTM_GETNEXTHOP, RTM_NEWNEXTHOP, &nexthop::Question(id), nexthop::reply)
    }

    /// One link.
    pub fn link(&mut self, ifindex: u32) -> io::Result<Option<LinkFacts>> {
        self.one(RTM_GETLINK, RTM_NEWLINK, &link::question(ifindex), link::reply)
    }

    /// All links.
    pub fn links(&mut self) -> io::Result<BTreeMap<u32, LinkFacts>> {
        let mut found = BTreeMap::new();
        let asked = self.0.ask(RTM_GETLINK, NLM_F_DUMP as u16, &link::question(0), |kind, payload| {
            if kind != RTM_NEWLINK {
                return;
            }
            match link::index(payload).and_then(|index| Ok((index, link::reply(payload)?))) {
                Ok((index, facts)) => drop(found.insert(index, facts)),
                Err(error) => warn!(%error, "cannot read what the kernel says of a link"),
            }
        });
        answered(asked).map(|_| found)
    }

    /// One neighbour.
    pub fn neighbour(&mut self, key: NeighbourKey) -> io::Result<Option<Entry>> {
        let found = self.one(RTM_GETNEIGH, RTM_NEWNEIGH, &neighbour::question(key), neighbour::entry)?;
        Ok(found.flatten().map(|(_, entry)| entry))
    }

    /// All neighbours that we, or an earlier run of us, manage.
    pub fn our_neighbours(&mut self) -> io::Result<Vec<(NeighbourKey, Entry)>> {
        self.neighbours(Entry::is_ours)
    }

    /// All neighbours that `wanted` says.
    pub fn neighbours(&mut self, wanted: impl Fn(&Entry) -> bool) -> io::Result<Vec<(NeighbourKey, Entry)>> {
        let mut found = Vec::new();
        let asked = self.0.ask(RTM_GETNEIGH, NLM_F_DUMP as u16, &NeighbourMessage::default(), |_, payload| {
            if let Ok(Some((key, entry))) = neighbour::entry(payload) {
                found.extend(Some((key, entry)).filter(|(_, entry)| wanted(entry)));
            }
        });
        answered(asked).map(|_| found)
    }

    /// Has a neighbour resolved from now on; `entry` is what is there. Errors: also what the kernel refuses.
    pub fn manage(&mut self, key: NeighbourKey, entry: Option<&Entry>) -> Result<(), AskError> {
        self.0.ask(RTM_NEWNEIGH, (NLM_F_CREATE | NLM_F_REPLACE) as u16, &neighbour::manage(key, entry), |_, _| ())
    }

    /// Ends [`Self::manage`], if it is in force. What is there is looked at first: an entry that was made permanent
    /// meanwhile must not be touched.
    pub fn release(&mut self, key: NeighbourKey) -> io::Result<()> {
        let Some(entry) = self.neighbour(key)?.filter(|entry| entry.managed) else { return Ok(()) };
        let asked = self.0.ask(RTM_NEWNEIGH, NLM_F_REPLACE as u16, &neighbour::release(key, &entry), |_, _| ());
        answered(asked).map(|_| ())
    }

    /// Asks for one thing. An answer that cannot be read is no answer, and said so.
    fn one<T>(
        &mut self,
        message_type: u16,
        reply_type: u16,
        body: &impl Emitable,
        read: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> io::Result<Option<T>> {
        let mut found = None;
        let asked = self.0.ask(message_type, 0, body, |kind, payload| {
            if kind != reply_type {
                return;
            }
            match read(payload) {
                Ok(answer) => found = Some(answer),
                Err(error) => warn!(%error, message_type, "cannot read the kernel's answer"),
            }
        });
        Ok(answered(asked)?.and(found))
    }
}

/// Tells what the kernel refused (`None`) from what failed.
fn answered(asked: Result<(), AskError>) -> io::Result<Option<()>> {
    match asked {
        Ok(()) => Ok(Some(())),
        Err(AskError::Refused(_)) => Ok(None),
        Err(AskError::Socket(error)) => Err(error),
    }
}
