//! What publishing goes by.

use super::Running;
use crate::{desired::Vip, publish::policy::Serving};

impl Running {
    /// Can this VIP be served?
    pub(in crate::daemon) fn serving(&self, vip: &Vip) -> Serving {
        self.bindings.serving(vip)
    }
}
