//! Hears when something happens to the routes that this program writes itself, or to links.

use std::io;

use libc::{RTM_DELLINK, RTM_DELROUTE, RTM_NEWLINK};
use rtnetlink::MulticastGroup;

use super::{
    own_routes::PROTOCOL,
    socket::{Events, Heard},
};

/// Where routes and links are told of. A link that goes down takes its IPv4 routes along without a word about them.
const GROUPS: [MulticastGroup; 3] = [MulticastGroup::Link, MulticastGroup::Ipv4Route, MulticastGroup::Ipv6Route];

/// What was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnHeard {
    /// Routes of the program's protocol that went.
    pub deletions: u64,
    /// A link came, went or changed, or events were lost: all has to be looked at.
    pub everything: bool,
}

/// Hears them.
pub struct OwnEvents(Events);

impl OwnEvents {
    /// Opens a socket; what happens from here on is heard.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn open() -> io::Result<Self> {
        Events::of(&GROUPS).map(Self)
    }

    /// Waits until there is something for [`Self::drain`]. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Takes all that was heard by now, without waiting.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn drain(&mut self) -> io::Result<OwnHeard> {
        let mut found = OwnHeard::default();
        loop {
            let heard = self.0.hear(|message_type, payload| match message_type {
                // `rtm_protocol`.
                RTM_DELROUTE if payload.get(5) == Some(&PROTOCOL) => found.deletions += 1,
                RTM_NEWLINK | RTM_DELLINK => found.everything = true,
                _ => {}
            })?;
            match heard {
                Heard::Events => {}
                Heard::Lost => found.everything = true,
                Heard::Silence => return Ok(found),
            }
        }
    }
}
