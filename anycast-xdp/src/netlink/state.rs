//! All that the kernel answered, and the view that follows from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Hop, Link, NeighbourKey, Route, View,
    fib::FibEntry,
    link::{Kind, Links, egress},
    neighbour::{Entry, needs_management},
};

/// All that the kernel answered.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By destination.
    pub fib: BTreeMap<IpAddr, FibEntry>,
    pub links: Links,
    /// Links that lead to clients.
    pub access: BTreeSet<u32>,
    /// Those on the routes.
    pub neighbours: BTreeMap<NeighbourKey, Followed>,
}

/// A neighbour on a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    /// What the kernel said of it last.
    pub entry: Option<Entry>,
    /// The kernel took our order to manage it and has not shown it managed yet. A kernel that does not know managed
    /// entries (before 5.16) never will, and must not be asked again at each of its events.
    pub ordered: bool,
    /// We made it managed, and give it back.
    pub ours: bool,
}

impl Followed {
    /// Whether it is to be made managed.
    pub fn needs_order(&self) -> bool {
        !self.ordered && needs_management(self.entry.as_ref())
    }
}

impl State {
    /// Takes in what an event says of a neighbour; whether it is one on a route.
    pub fn observe(&mut self, key: NeighbourKey, entry: Option<Entry>) -> bool {
        let Some(followed) = self.neighbours.get_mut(&key) else { return false };
        followed.entry = entry;
        if entry.is_none_or(|entry| entry.managed) {
            followed.ordered = false;
        }
        true
    }

    /// The links that routes name and, for VLAN devices among them, their parents, as far as they are not known yet.
    pub fn unknown_links(&self) -> BTreeSet<u32> {
        let named = self.fib.values().flat_map(|entry| &entry.members).map(|member| member.ifindex);
        let parents = self.links.values().flatten().filter_map(|facts| match facts.kind {
            Kind::Vlan { parent_ifindex, .. } => Some(parent_ifindex),
            Kind::Plain | Kind::Other => None,
        });
        named
            .chain(parents)
            .chain(self.access.iter().copied())
            .filter(|ifindex| !self.links.contains_key(ifindex))
            .collect()
    }

    /// The neighbours that the usable hops of all routes name.
    pub fn wanted_neighbours(&self) -> BTreeSet<NeighbourKey> {
        self.routes().values().flat_map(|route| &route.hops).map(Hop::neighbour).collect()
    }

    /// The view that follows.
    pub fn view(&self) -> View {
        let routes = self.routes();
        let used: BTreeSet<u32> = routes.values().flat_map(|route| &route.hops).map(|hop| hop.ifindex).collect();
        let access = self.access.iter().copied().filter(|ifindex| egress(*ifindex, &self.links).is_some()).collect();
        let used = used.union(&access).copied().collect::<BTreeSet<_>>();
        let neighbours = self.neighbours.iter();
        View {
            neighbours: neighbours.filter_map(|(key, n)| Some((*key, n.entry?.usable_mac()?))).collect(),
            links: used.into_iter().filter_map(|ifindex| Some((ifindex, egress(ifindex, &self.links)?))).collect(),
            routes,
            access,
        }
    }

    fn routes(&self) -> BTreeMap<IpAddr, Route> {
        self.fib.iter().filter_map(|(to, entry)| Some((*to, route(*to, entry, &self.links)?))).collect()
    }
}

/// The route over the members whose links can transmit; `None`: there is none.
fn route(destination: IpAddr, entry: &FibEntry, links: &Links) -> Option<Route> {
    let mut weights: BTreeMap<(u32, IpAddr), u16> = BTreeMap::new();
    let mut mtu_bytes = entry.mtu_bytes.unwrap_or(u32::MAX);
    for member in &entry.members {
        // The kernel's own mark of a member whose link is down may come a moment after the link's.
        let Some(Link { mtu_bytes: link_mtu_bytes, up: true, .. }) = egress(member.ifindex, links) else { continue };
        mtu_bytes = mtu_bytes.min(link_mtu_bytes);
        let weight = weights.entry((member.ifindex, member.gateway.unwrap_or(destination))).or_default();
        *weight = weight.saturating_add(member.weight);
    }
    let hops: Vec<Hop> = weights.into_iter().map(|((ifindex, via), weight)| Hop { ifindex, via, weight }).collect();
    let mtu_bytes = u16::try_from(mtu_bytes).unwrap_or(u16::MAX);
    (!hops.is_empty()).then_some(Route { prefix: entry.prefix, mtu_bytes, hops })
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::{neighbour::NeighbourState, route::RouteProtocol};

    use super::*;
    use crate::netlink::{fib::Member, link::LinkFacts};

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn facts(mtu_bytes: u32, up: bool) -> LinkFacts {
        LinkFacts { name: "bb".into(), mac: Some([2, 0, 0, 0, 0, 1]), mtu_bytes, up, kind: Kind::Plain }
    }

    fn member(ifindex: u32, gateway: &str, weight: u16) -> Member {
        Member { ifindex, gateway: Some(address(gateway)), weight }
    }

    fn state(members: Vec<Member>, mtu_bytes: Option<u32>) -> State {
        let entry = FibEntry { prefix: "192.0.2.0/24".parse().unwrap(), mtu_bytes, members, nexthop_id: None };
        State {
            fib: BTreeMap::from([(address("192.0.2.9"), entry)]),
            links: Links::from([
                (3, Some(facts(1500, true))),
                (4, Some(facts(9000, true))),
                (5, Some(facts(1400, false))),
            ]),
            ..State::default()
        }
    }

    fn only_route(state: &State) -> Option<Route> {
        state.view().routes.into_values().next()
    }

    fn entry(state: NeighbourState, managed: bool) -> Entry {
        Entry { state, mac: Some(MAC), managed, learned: false, protocol: RouteProtocol::Unspec }
    }

    #[test]
    fn hops_are_sorted_and_duplicates_add_their_weights() {
        let members = vec![member(4, "10.0.1.1", 1), member(3, "10.0.0.2", 2), member(3, "10.0.0.1", 1)];
        let twice = [members.clone(), vec![member(3, "10.0.0.2", 5)]].concat();
        let hops = only_route(&state(twice, None)).unwrap().hops;
        let wanted = [(3, "10.0.0.1", 1), (3, "10.0.0.2", 7), (4, "10.0.1.1", 1)];
        assert_eq!(hops, wanted.map(|(ifindex, via, weight)| Hop { ifindex, via: address(via), weight }));
    }

    #[test]
    fn on_link_destination_is_its_own_hop() {
        let on_link = state(vec![Member { ifindex: 3, gateway: None, weight: 1 }], None);
        assert_eq!(only_route(&on_link).unwrap().hops[0].via, address("192.0.2.9"));
    }

    #[test]
    fn mtu_is_the_least_of_metric_and_links_in_use() {
        let both = || vec![member(3, "10.0.0.1", 1), member(4, "10.0.1.1", 1), member(5, "10.0.2.1", 1)];
        assert_eq!(only_route(&state(both(), None)).unwrap().mtu_bytes, 1500);
        assert_eq!(only_route(&state(both(), Some(1300))).unwrap().mtu_bytes, 1300);
        assert_eq!(only_route(&state(vec![member(4, "10.0.1.1", 1)], Some(65536))).unwrap().mtu_bytes, 9000);
    }

    #[test]
    fn mtu_beyond_sixteen_bits_is_clamped() {
        let mut big = state(vec![member(3, "10.0.0.1", 1)], None);
        big.links.insert(3, Some(facts(100_000, true)));
        assert_eq!(only_route(&big).unwrap().mtu_bytes, u16::MAX);
    }

    #[test]
    fn member_on_a_link_that_is_down_or_unknown_is_left_out() {
        let members = vec![member(3, "10.0.0.1", 1), member(5, "10.0.2.1", 1), member(6, "10.0.3.1", 1)];
        let hops = only_route(&state(members, None)).unwrap().hops;
        assert_eq!(hops.iter().map(|hop| hop.ifindex).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn route_without_usable_member_is_none_and_names_no_link() {
        let view = state(vec![member(5, "10.0.2.1", 1)], None).view();
        assert_eq!(view, View::default());
    }

    #[test]
    fn unknown_links_are_those_of_members_and_parents_of_vlan_devices() {
        let mut state = state(vec![member(3, "10.0.0.1", 1), member(7, "10.0.4.1", 1)], None);
        assert_eq!(state.unknown_links(), BTreeSet::from([7]));
        let vlan = LinkFacts { kind: Kind::Vlan { vlan_id: 42, parent_ifindex: 8 }, ..facts(1500, true) };
        state.links.insert(7, Some(vlan));
        assert_eq!(state.unknown_links(), BTreeSet::from([8]));
        state.links.insert(8, None);
        assert_eq!(state.unknown_links(), BTreeSet::new());
    }

    #[test]
    fn access_link_is_in_the_view_although_no_route_names_it() {
        let mut state = State { access: BTreeSet::from([3, 4, 9]), ..state(vec![member(3, "10.0.0.1", 1)], None) };
        assert_eq!(state.unknown_links(), BTreeSet::from([9]));
        state.links.insert(9, None);
        let view = state.view();
        assert_eq!(view.access, BTreeSet::from([3, 4]));
        assert_eq!(view.links.into_keys().collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn view_has_the_usable_neighbours_only() {
        let mut state = state(vec![member(3, "10.0.0.1", 1), member(3, "10.0.0.2", 1)], None);
        let [first, second] = [0, 1].map(|i| state.wanted_neighbours().into_iter().nth(i).unwrap());
        let followed = |entry| Followed { entry: Some(entry), ..Followed::default() };
        state.neighbours.insert(first, followed(entry(NeighbourState::Reachable, true)));
        state.neighbours.insert(second, followed(entry(NeighbourState::Failed, true)));
        assert_eq!(state.view().neighbours, BTreeMap::from([(first, MAC)]));
    }

    #[test]
    fn neighbour_that_is_on_no_route_is_not_observed() {
        let mut state = State::default();
        let key = NeighbourKey { ifindex: 3, address: address("10.0.0.1") };
        assert!(!state.observe(key, Some(entry(NeighbourState::Reachable, true))));
        assert!(state.neighbours.is_empty());
    }

    #[test]
    fn order_is_given_once_until_the_kernel_shows_or_deletes_the_entry() {
        let mut state = State::default();
        let key = NeighbourKey { ifindex: 3, address: address("10.0.0.1") };
        let unmanaged = Some(entry(NeighbourState::Reachable, false));
        state.neighbours.insert(key, Followed { entry: unmanaged, ordered: true, ours: true });
        assert!(state.observe(key, unmanaged));
        assert!(!state.neighbours[&key].needs_order(), "an event from before the order");
        state.observe(key, Some(entry(NeighbourState::Reachable, true)));
        assert!(!state.neighbours[&key].needs_order(), "managed now");
        state.observe(key, unmanaged);
        assert!(state.neighbours[&key].needs_order(), "lost the flag");
        state.neighbours.insert(key, Followed { entry: unmanaged, ordered: true, ours: true });
        state.observe(key, None);
        assert!(state.neighbours[&key].needs_order(), "deleted");
    }
}
