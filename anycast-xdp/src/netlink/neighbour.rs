//! Neighbour entries: what the kernel says of one, whether it is usable, and what is to be done about it.
//!
//! The kernel resolves a neighbour when a packet of the stack wants it, and the packets of the kernel program are none
//! of the stack's. A *managed* entry (Linux 5.16) is resolved and probed without any.

#![expect(clippy::wildcard_enum_match_arm, reason = "kernels add attributes; those of no interest are passed over")]

use netlink_packet_core::{DecodeError, Parseable as _};
use netlink_packet_route::{
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
    },
    route::RouteProtocol,
};

use super::{NeighbourKey, fib::family};

/// Marks the entries that we manage, so that a later start knows them from those that others manage. The number is
/// the one our routes carry.
const PROTOCOL: RouteProtocol = RouteProtocol::Other(201);

/// What the kernel says of one neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub state: NeighbourState,
    pub mac: Option<[u8; 6]>,
    pub managed: bool,
    /// Put there by a control plane (`extern_learn`).
    pub learned: bool,
    pub protocol: RouteProtocol,
}

impl Entry {
    /// The MAC, if frames may be sent to it.
    pub fn usable_mac(&self) -> Option<[u8; 6]> {
        match self.state {
            NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
            | NeighbourState::Noarp => self.mac,
            // Incomplete, failed, none, and combinations of bits that the kernel never shows.
            _ => None,
        }
    }

    /// Managed, and by us.
    pub fn is_ours(&self) -> bool {
        self.managed && self.protocol == PROTOCOL
    }
}

/// Whether an entry must be made, or made managed. Permanent ones and those of links without resolution are never
/// touched.
pub(super) fn needs_management(entry: Option<&Entry>) -> bool {
    entry.is_none_or(|e| !e.managed && !matches!(e.state, NeighbourState::Permanent | NeighbourState::Noarp))
}

/// Reads an entry from a reply or an event; `None`: of no interest (bridge, proxy).
pub(super) fn entry(payload: &[u8]) -> Result<Option<(NeighbourKey, Entry)>, DecodeError> {
    let message = NeighbourMessage::parse(payload)?;
    if message.header.flags.contains(NeighbourFlags::Proxy) {
        return Ok(None);
    }
    let (mut address, mut mac, mut managed, mut protocol) = (None, None, false, RouteProtocol::Unspec);
    for attribute in message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some(v4.into()),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some(v6.into()),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.try_into().ok(),
            NeighbourAttribute::ExtFlags(flags) => managed = flags.contains(NeighbourExtFlags::Managed),
            NeighbourAttribute::Protocol(number) => protocol = number,
            _ => {}
        }
    }
    Ok(address.map(|address| {
        let learned = message.header.flags.contains(NeighbourFlags::ExtLearned);
        let key = NeighbourKey { ifindex: message.header.ifindex, address };
        (key, Entry { state: message.header.state, mac, managed, learned, protocol })
    }))
}

/// Names one neighbour, for a question.
pub(super) fn question(key: NeighbourKey) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(key.address).0;
    message.header.ifindex = key.ifindex;
    message.attributes.push(NeighbourAttribute::Destination(key.address.into()));
    message
}

/// Makes the entry, or the one that is there, managed. State and MAC stay what they are.
pub(super) fn manage(key: NeighbourKey, entry: Option<&Entry>) -> NeighbourMessage {
    let mut message = update(key, entry);
    message.attributes.push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
    // Another daemon's mark on its entry is not ours to change.
    if entry.is_none_or(|e| e.protocol == RouteProtocol::Unspec) {
        message.attributes.push(NeighbourAttribute::Protocol(PROTOCOL));
    }
    message
}

/// Gives the entry back to the kernel's usual ageing: an update without the managed flag takes it away.
pub(super) fn release(key: NeighbourKey, entry: &Entry) -> NeighbourMessage {
    update(key, Some(entry))
}

/// An update that touches flags only: with `NTF_USE` the kernel leaves state and MAC alone.
fn update(key: NeighbourKey, entry: Option<&Entry>) -> NeighbourMessage {
    let mut message = question(key);
    message.header.flags = NeighbourFlags::Use;
    if entry.is_some_and(|e| e.learned) {
        message.header.flags |= NeighbourFlags::ExtLearned;
    }
    message
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable as _;
    use netlink_packet_route::AddressFamily;

    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn key() -> NeighbourKey {
        NeighbourKey { ifindex: 4, address: "10.0.0.1".parse().unwrap() }
    }

    fn with_state(state: NeighbourState) -> Entry {
        Entry { state, mac: Some(MAC), managed: false, learned: false, protocol: RouteProtocol::Unspec }
    }

    fn read(message: &NeighbourMessage) -> Option<(NeighbourKey, Entry)> {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        entry(&bytes).unwrap()
    }

    #[test]
    fn usable_states_give_the_mac_and_the_others_none() {
        use NeighbourState as S;
        for state in [S::Reachable, S::Stale, S::Delay, S::Probe, S::Permanent, S::Noarp] {
            assert_eq!(with_state(state).usable_mac(), Some(MAC), "{state}");
        }
        for state in [S::Incomplete, S::Failed, S::None, S::Other(0x300)] {
            assert_eq!(with_state(state).usable_mac(), None, "{state}");
        }
    }

    #[test]
    fn entry_without_mac_is_not_usable() {
        assert_eq!(Entry { mac: None, ..with_state(NeighbourState::Noarp) }.usable_mac(), None);
    }

    #[test]
    fn missing_and_unmanaged_entries_need_management() {
        assert!(needs_management(None));
        assert!(needs_management(Some(&with_state(NeighbourState::Failed))));
        assert!(needs_management(Some(&with_state(NeighbourState::Reachable))));
    }

    #[test]
    fn managed_permanent_and_noarp_entries_are_left_alone() {
        assert!(!needs_management(Some(&Entry { managed: true, ..with_state(NeighbourState::Reachable) })));
        assert!(!needs_management(Some(&with_state(NeighbourState::Permanent))));
        assert!(!needs_management(Some(&with_state(NeighbourState::Noarp))));
    }

    #[test]
    fn message_reads_as_key_and_entry() {
        let mut message = manage(key(), None);
        message.header.state = NeighbourState::Reachable;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(MAC.into()));
        let (read_key, entry) = read(&message).unwrap();
        assert_eq!(read_key, key());
        assert_eq!(entry.usable_mac(), Some(MAC));
        assert!(entry.is_ours());
    }

    #[test]
    fn managed_entry_of_another_is_not_ours() {
        let entry = Entry { managed: true, ..with_state(NeighbourState::Reachable) };
        assert!(!entry.is_ours());
    }

    #[test]
    fn bridge_and_proxy_entries_are_of_no_interest() {
        let mut proxy = question(key());
        proxy.header.flags = NeighbourFlags::Proxy;
        assert_eq!(read(&proxy), None);
        let mut bridge = NeighbourMessage::default();
        bridge.header.family = AddressFamily::Bridge;
        bridge.attributes.push(NeighbourAttribute::LinkLayerAddress(MAC.into()));
        assert_eq!(read(&bridge), None);
    }

    #[test]
    fn managing_keeps_the_learned_flag_and_the_mark_of_another() {
        let zebra = Entry { learned: true, protocol: RouteProtocol::Zebra, ..with_state(NeighbourState::Reachable) };
        let message = manage(key(), Some(&zebra));
        assert_eq!(message.header.flags, NeighbourFlags::Use | NeighbourFlags::ExtLearned);
        assert!(!message.attributes.iter().any(|a| matches!(a, NeighbourAttribute::Protocol(_))));
    }

    #[test]
    fn releasing_names_neither_state_nor_mac_nor_the_managed_flag() {
        let message = release(key(), &with_state(NeighbourState::Reachable));
        assert_eq!(message.header.state, NeighbourState::None);
        assert_eq!(message.attributes, [NeighbourAttribute::Destination(key().address.into())]);
    }
}
