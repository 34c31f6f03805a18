//! Handlers of what is published.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{ConnectInfo, State},
};

use super::{
    changes::to_the_end,
    extract::{Parameters, Sent},
    peer::Peer,
    server::Shared,
    types::{ApiError, ChangeQuery, DrainRequest, ErrorCode, Publishing, PublishingQuery, Scope},
};
use crate::{control::Edit, dataplane::inspect::Inspector};

/// How long a drain may take to be told to the routers.
const WAIT: Duration = Duration::from_secs(30);

type Answer = Result<Json<Publishing>, ApiError>;

pub async fn publishing(State(shared): State<Shared>, Parameters(query): Parameters<PublishingQuery>) -> Answer {
    Ok(Json(read(&shared, query).await))
}

pub async fn drain(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Sent(request): Sent<DrainRequest>,
) -> Answer {
    set(shared, &peer, request.scope, true).await
}

pub async fn undrain(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Sent(request): Sent<DrainRequest>,
) -> Answer {
    set(shared, &peer, request.scope, false).await
}

/// What the daemon knows, and the counters beside it.
async fn read(shared: &Shared, query: PublishingQuery) -> Publishing {
    let mut publishing = Publishing::clone(&shared.publishing.now.borrow());
    if query.summary {
        publishing.prefixes.clear();
        publishing.vips.clear();
    }
    let instance = shared.publishing.instance.clone();
    let received = tokio::task::spawn_blocking(move || {
        let stats = Inspector::open(&instance)?.map(|inspector| inspector.stats()).transpose()?;
        let vips = stats.into_iter().flat_map(|stats| stats.vips);
        anyhow::Ok(vips.map(|vip| (vip.address, vip.received.0.packets)).collect::<HashMap<IpAddr, u64>>())
    });
    if let Ok(Ok(received)) = received.await {
        publishing.received_packets = Some(received.values().sum());
        for vip in &mut publishing.vips {
            vip.received_packets = vip.address().and_then(|address| received.get(&address).copied());
        }
    }
    publishing
}

async fn set(shared: Shared, peer: &Peer, scope: Scope, drains: bool) -> Answer {
    match scope {
        Scope::Host => {
            if shared.publishing.now.borrow().interface.is_none() {
                return Err(ApiError::new(
                    ErrorCode::Invalid,
                    "this host publishes nothing, so it has nothing to drain",
                )
                .hint("add [publish] to its file, and reload the daemon"));
            }
            let host_drain = shared.publishing.host_drain.clone();
            let written = tokio::task::spawn_blocking(move || host_drain.set(drains)).await;
            let written = written.map_err(anyhow::Error::from).flatten();
            written.map_err(|error| {
                ApiError::new(ErrorCode::StoreFailed, format!("{error:#}"))
                    .hint("the directory of the store has to be there and writable for the daemon")
            })?;
        }
        Scope::Pop => {
            let control = Arc::clone(&shared.control);
            let author = peer.author();
            let edit = async move {
                let mut control = control.lock().await;
                let pop = control.local().pop;
                control.edit(Edit::DrainPop(pop, drains), ChangeQuery::default(), author).await
            };
            to_the_end(edit).await?;
        }
    }
    let mut now = shared.publishing.now.clone();
    let is_taken =
        |known: &Arc<Publishing>| drains == if scope == Scope::Host { known.drain.host } else { known.drain.pop };
    if tokio::time::timeout(WAIT, now.wait_for(is_taken)).await.is_err() {
        return Err(ApiError::new(ErrorCode::NotApplied, format!("it is kept, and takes longer than {WAIT:?}"))
            .hint("`anycast-xdp publishing` tells how far it is, the daemon's log why"));
    }
    Ok(Json(read(&shared, PublishingQuery::default()).await))
}
