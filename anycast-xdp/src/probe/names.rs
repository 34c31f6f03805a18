//! Names of addresses in DNS.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use dns_lookup::getnameinfo;
use futures_util::future::join_all;
use nix::libc::NI_NAMEREQD;
use tokio::time::Instant;

use super::{resolve::in_background, walk::Walk};

/// How long all names together may take: they are there to be read, and nothing depends on them.
const LIMIT: Duration = Duration::from_secs(2);

/// Writes names beside the addresses of hops, where there are some.
pub(super) async fn add(walks: &mut [Walk]) {
    let addresses: BTreeSet<IpAddr> = walks.iter().flat_map(|walk| &walk.hops).filter_map(|hop| hop.address).collect();
    let deadline = Instant::now() + LIMIT;
    let asked = addresses.into_iter().map(|address| async move {
        Some((address, tokio::time::timeout_at(deadline, name(address)).await.ok().flatten()?))
    });
    let names: BTreeMap<IpAddr, String> = join_all(asked).await.into_iter().flatten().collect();
    for hop in walks.iter_mut().flat_map(|walk| &mut walk.hops) {
        hop.name = hop.address.and_then(|address| names.get(&address).cloned());
    }
}

async fn name(address: IpAddr) -> Option<String> {
    let found = in_background(move || getnameinfo(&SocketAddr::new(address, 0), NI_NAMEREQD)).await?;
    found.ok().map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::{
        super::walk::{End, Hop},
        *,
    };

    #[test]
    fn addresses_have_the_names_that_the_system_knows() {
        let hop = |hop, address: Option<[u8; 4]>| Hop { hop, address: address.map(Into::into), rtt: None, name: None };
        let mut walks = [Walk { hops: vec![hop(1, None), hop(2, Some([127, 0, 0, 1]))], end: End::Silent }];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(add(&mut walks));
        assert_eq!(walks[0].hops[0].name, None);
        assert_eq!(walks[0].hops[1].name.as_deref(), Some("localhost"));
    }
}
