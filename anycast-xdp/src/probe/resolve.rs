//! Names to addresses, by the resolver of the system.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    thread,
};

use dns_lookup::{AddrFamily, AddrInfoHints, SockType, getaddrinfo};
use tokio::sync::oneshot;

use super::target::Target;

/// Which addresses of a name are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// The resolver's first one (RFC 6724).
    #[default]
    Any,
    /// The first IPv4 address.
    V4,
    /// The first IPv6 address.
    V6,
}

/// An address to use for a name, as `--resolve HOST:ADDRESS` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// As URLs have it.
    pub host: String,
    /// Used in the place of what the resolver says.
    pub address: IpAddr,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let parts = written.split_once(':').and_then(|(host, address)| {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
            Some(Self { host: host.to_owned(), address: bare.parse().ok()? })
        });
        parts.filter(|parts| !parts.host.is_empty()).ok_or_else(|| {
            format!("`{written}` is no name with an address\n  help: write it like www.example.com:192.0.2.80")
        })
    }
}

/// Where names get their addresses from.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    families: Families,
    overrides: BTreeMap<String, IpAddr>,
}

impl Resolver {
    /// Asks the system for what is not overridden.
    pub fn new(families: Families, overrides: impl IntoIterator<Item = Override>) -> Self {
        let overrides = overrides.into_iter().map(|one| (one.host.to_ascii_lowercase(), one.address)).collect();
        Self { families, overrides }
    }

    /// The address of a target.
    ///
    /// # Errors
    ///
    /// The resolver's; or there is no address of the family that is wanted.
    pub async fn lookup(&self, target: &Target) -> Result<SocketAddr, String> {
        let host = &target.host;
        let known = target.address().or_else(|| self.overrides.get(&host.to_ascii_lowercase()).copied());
        let address = match known {
            Some(address) if self.wants(address) => address,
            Some(address) => return Err(format!("{address} is not {}", self.families.name())),
            None => self.ask(host.clone()).await?,
        };
        Ok(SocketAddr::new(address, target.port))
    }

    fn wants(&self, address: IpAddr) -> bool {
        match self.families {
            Families::Any => true,
            Families::V4 => address.is_ipv4(),
            Families::V6 => address.is_ipv6(),
        }
    }

    async fn ask(&self, host: String) -> Result<IpAddr, String> {
        let families = self.families;
        let answer = in_background(move || first_address(&host, families)).await;
        answer.unwrap_or_else(|| Err("the resolver gave up".to_owned()))
    }
}

impl Families {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "an address",
            Self::V4 => "an IPv4 address",
            Self::V6 => "an IPv6 address",
        }
    }
}

fn first_address(host: &str, families: Families) -> Result<IpAddr, String> {
    let address = match families {
        Families::Any => 0,
        Families::V4 => AddrFamily::Inet.into(),
        Families::V6 => AddrFamily::Inet6.into(),
    };
    let hints = AddrInfoHints { address, socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(host), None, Some(hints));
    let mut found = found.map_err(|error| io::Error::from(error).to_string())?.filter_map(Result::ok);
    found.next().map(|one| one.sockaddr.ip()).ok_or_else(|| format!("`{host}` has no {}", families.name()))
}

/// Runs what blocks on a thread of its own, so that what is given up holds nothing up: the event loop waits at its end for
/// the threads that it has itself.
pub(super) async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    // Whoever asked may have gone: then there is nobody to tell.
    let thread = thread::Builder::new().name("resolver".to_owned()).spawn(move || drop(sender.send(work())));
    thread.ok()?;
    receiver.await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_read_in_both_families() {
        let read = |written: &str| written.parse::<Override>().map(|one| (one.host, one.address.to_string()));
        assert_eq!(read("www.example.com:192.0.2.80"), Ok(("www.example.com".into(), "192.0.2.80".into())));
        assert_eq!(read("www:2001:db8::80"), Ok(("www".into(), "2001:db8::80".into())));
        assert_eq!(read("www:[2001:db8::80]"), Ok(("www".into(), "2001:db8::80".into())));
        for wrong in ["www", "www:", ":192.0.2.80", "www:80:192.0.2.80", "www:example.com"] {
            assert!(read(wrong).is_err_and(|text| text.contains("help: ")), "{wrong}");
        }
    }

    fn lookup(families: Families, url: &str) -> Result<SocketAddr, String> {
        let resolver = Resolver::new(families, ["WWW.example.com:192.0.2.80".parse().unwrap()]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(resolver.lookup(&url.parse().unwrap()))
    }

    #[test]
    fn overridden_names_and_addresses_need_no_resolver() {
        let port_80 = |address: &str| Ok(SocketAddr::new(address.parse().unwrap(), 80));
        assert_eq!(lookup(Families::Any, "http://www.EXAMPLE.com/"), port_80("192.0.2.80"));
        assert_eq!(lookup(Families::V6, "http://[2001:db8::80]/"), port_80("2001:db8::80"));
    }

    #[test]
    fn other_family_is_an_error() {
        assert_eq!(lookup(Families::V6, "http://www.example.com/"), Err("192.0.2.80 is not an IPv6 address".into()));
        assert_eq!(lookup(Families::V4, "http://[::1]/"), Err("::1 is not an IPv4 address".into()));
    }

    #[test]
    fn localhost_is_known_to_the_system() {
        let found = lookup(Families::V4, "tcp://localhost:9").unwrap();
        assert_eq!(found, "127.0.0.1:9".parse().unwrap());
    }
}
