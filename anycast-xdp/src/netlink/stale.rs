//! Which of the answers that we have must be asked for again.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

/// What must be asked again. Empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stale {
    /// The routes of these destinations.
    pub destinations: BTreeSet<IpAddr>,
    /// All routes, and the links.
    pub everything: bool,
    /// The neighbours too, whose events are otherwise enough.
    pub neighbours: bool,
}

impl Stale {
    /// All that there is.
    pub fn all() -> Self {
        Self { everything: true, neighbours: true, ..Self::default() }
    }

    /// A route of this prefix came, went or changed: that concerns the destinations within it, whatever prefix they
    /// are routed by now. Costs one look-up in the ordered set, however many destinations there are.
    pub fn route_changed(&mut self, prefix: IpNet, destinations: &BTreeSet<IpAddr>) {
        if !self.everything {
            self.destinations.extend(destinations.range(prefix.network()..=prefix.broadcast()));
        }
    }

    /// Nothing to ask.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: Self) {
        self.destinations.extend(other.destinations);
        self.everything |= other.everything;
        self.neighbours |= other.neighbours;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn stale_after(prefix: &str) -> BTreeSet<IpAddr> {
        let destinations = addresses(&["10.0.0.1", "10.0.0.255", "10.0.1.0", "2001:db8::1", "2001:db9::1"]);
        let mut stale = Stale::default();
        stale.route_changed(prefix.parse().unwrap(), &destinations);
        stale.destinations
    }

    #[test]
    fn route_event_concerns_the_destinations_within_its_prefix() {
        assert_eq!(stale_after("10.0.0.0/24"), addresses(&["10.0.0.1", "10.0.0.255"]));
        assert_eq!(stale_after("10.0.1.0/32"), addresses(&["10.0.1.0"]));
        assert_eq!(stale_after("2001:db8::/32"), addresses(&["2001:db8::1"]));
        assert_eq!(stale_after("192.0.2.0/24"), addresses(&[]));
    }

    #[test]
    fn default_route_event_concerns_all_of_its_family_and_none_of_the_other() {
        assert_eq!(stale_after("0.0.0.0/0"), addresses(&["10.0.0.1", "10.0.0.255", "10.0.1.0"]));
        assert_eq!(stale_after("::/0"), addresses(&["2001:db8::1", "2001:db9::1"]));
    }

    #[test]
    fn merging_keeps_what_either_has() {
        let mut stale = Stale { destinations: addresses(&["10.0.0.1"]), ..Stale::default() };
        stale.merge(Stale { destinations: addresses(&["10.0.0.2"]), neighbours: true, ..Stale::default() });
        assert_eq!(stale.destinations, addresses(&["10.0.0.1", "10.0.0.2"]));
        assert!(stale.neighbours && !stale.everything);
        stale.merge(Stale::all());
        assert!(stale.everything);
    }

    #[test]
    fn only_the_default_is_empty() {
        assert!(Stale::default().is_empty());
        assert!(!Stale::all().is_empty());
        assert!(!Stale { destinations: addresses(&["10.0.0.1"]), ..Stale::default() }.is_empty());
    }
}
