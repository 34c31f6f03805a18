//! Who made a revision.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The process at the other end of the socket, as the kernel tells it, and the name of its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The process. Its number is another's after it has ended.
    pub pid: i32,
    /// Name of the user; none: it has none on that host.
    pub user: Option<String>,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => f.write_str(user),
            None => write!(f, "uid {}", self.uid),
        }
    }
}
