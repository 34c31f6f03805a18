//! What a change comes to that the maps refuse.

use anyhow::{Error, Result};

use crate::desired::Config;

/// What changes from one set of services to another.
pub(crate) trait Maps {
    /// Changes the services. After an error the maps may have something between what was and what was wanted, which is
    /// consistent, and from which every change can go on.
    async fn change(&mut self, config: &Config) -> Result<()>;
}

/// The maps have not taken the services.
#[derive(Debug)]
pub(crate) struct NotTaken {
    /// Why.
    pub(crate) error: Error,
    /// They did not take the last ones again either.
    pub(crate) is_between: bool,
}

/// Changes the services to `next`; goes back to `last` if that fails, for half of a change is neither what was nor what is
/// wanted.
pub(crate) async fn change_or_go_back(maps: &mut impl Maps, last: &Config, next: &Config) -> Result<(), NotTaken> {
    let Err(error) = maps.change(next).await else { return Ok(()) };
    let back = maps.change(last).await;
    if let Err(error) = &back {
        tracing::error!("the last services are not all in the maps: {error:#}");
    }
    Err(NotTaken { error, is_between: back.is_err() })
}
