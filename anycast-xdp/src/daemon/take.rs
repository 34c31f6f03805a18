//! What a change comes to that the maps refuse.

use anyhow::{Error, Result};

/// What changes from one set of services to another. After an error it may have something between what was and what was
/// wanted, which is consistent, and from which every change can go on.
pub(crate) trait Maps {
    /// A set of services.
    type Services;

    /// Changes to these services from those that are there.
    async fn change(&mut self, next: &Self::Services) -> Result<()>;

    /// Changes to these services whatever is there.
    async fn change_all(&mut self, services: &Self::Services) -> Result<()>;
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
pub(crate) async fn change_or_go_back<M: Maps>(
    maps: &mut M,
    last: &M::Services,
    next: &M::Services,
) -> Result<(), NotTaken> {
    let Err(error) = maps.change(next).await else { return Ok(()) };
    let back = maps.change_all(last).await;
    if let Err(error) = &back {
        tracing::error!("the last services are not all in the maps: {error:#}");
    }
    Err(NotTaken { error, is_between: back.is_err() })
}
