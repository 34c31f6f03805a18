//! Handlers of what changes services.

use std::{net::IpAddr, panic::resume_unwind, path::Path as FilePath, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{ConnectInfo, Path, State},
    http::StatusCode,
};

use super::{
    extract::{Parameters, Sent, SentServices},
    peer::Peer,
    server::Shared,
    types::{
        ApiError, BackendPatch, BindRequest, ChangeQuery, ChangeResult, ErrorCode, NamedDocument, Plan, RollbackRequest,
    },
};
use crate::{
    control::{Edit, Made, Wanted},
    documents::{Document, Key, Kind},
};

/// How long a change with `wait` waits for the maps.
const WAIT: Duration = Duration::from_mins(1);

/// What a file is called that came in a body.
const BODY: &str = "services.toml";

type Answer = Result<Json<ChangeResult>, ApiError>;
type From = ConnectInfo<Peer>;
type Query = Parameters<ChangeQuery>;

pub async fn create(
    state: State<Shared>,
    kind: Kind,
    from: From,
    query: Query,
    Sent(object): Sent<NamedDocument>,
) -> Result<(StatusCode, Json<ChangeResult>), ApiError> {
    Ok((StatusCode::CREATED, edit(state, from, query, Edit::Create(kind, object)).await?))
}

pub async fn update(
    state: State<Shared>,
    kind: Kind,
    from: From,
    query: Query,
    Path(name): Path<String>,
    Sent(patch): Sent<Document>,
) -> Answer {
    if patch.contains_key("name") {
        return Err(ApiError::new(ErrorCode::BadRequest, "a name cannot be changed")
            .hint("create an object of the new name, and delete this one"));
    }
    edit(state, from, query, Edit::Update(Key::new(kind, name), patch)).await
}

pub async fn delete(state: State<Shared>, kind: Kind, from: From, query: Query, Path(name): Path<String>) -> Answer {
    edit(state, from, query, Edit::Delete(Key::new(kind, name))).await
}

pub async fn bind(
    state: State<Shared>,
    from: From,
    query: Query,
    Path(name): Path<String>,
    Sent(request): Sent<BindRequest>,
) -> Answer {
    edit(state, from, query, Edit::Bind(name, request)).await
}

pub async fn unbind(state: State<Shared>, from: From, query: Query, Path(name): Path<String>) -> Answer {
    edit(state, from, query, Edit::Unbind(name)).await
}

pub async fn backend(
    state: State<Shared>,
    from: From,
    query: Query,
    Path((pool, address)): Path<(String, String)>,
    Sent(patch): Sent<BackendPatch>,
) -> Answer {
    let address: IpAddr = address
        .parse()
        .map_err(|_| ApiError::new(ErrorCode::BadRequest, format!("`{address}` is not an IP address")))?;
    edit(state, from, query, Edit::Backend(pool, address, patch)).await
}

pub async fn plan(State(shared): State<Shared>, services: SentServices) -> Result<Json<Plan>, ApiError> {
    let control = shared.control.lock().await;
    Ok(Json(control.plan(wanted(&services)).await?))
}

pub async fn apply(
    State(shared): State<Shared>,
    ConnectInfo(peer): From,
    Parameters(query): Query,
    services: SentServices,
) -> Answer {
    let control = Arc::clone(&shared.control);
    let made =
        to_the_end(async move { control.lock().await.replace(wanted(&services), query, peer.author(), "apply").await });
    let made = made.await?;
    answer(&shared, made, query).await
}

pub async fn rollback(
    State(shared): State<Shared>,
    ConnectInfo(peer): From,
    Parameters(query): Query,
    Sent(RollbackRequest { revision }): Sent<RollbackRequest>,
) -> Answer {
    let control = Arc::clone(&shared.control);
    let made = to_the_end(async move {
        let mut control = control.lock().await;
        let documents = control.documents_of(Some(revision)).await?;
        let action = format!("rollback {revision}");
        control.replace(Wanted::Documents(&documents), query, peer.author(), &action).await
    });
    let made = made.await?;
    answer(&shared, made, query).await
}

fn wanted(services: &SentServices) -> Wanted<'_> {
    match services {
        SentServices::Toml(text) => Wanted::File { text, name: FilePath::new(BODY) },
        SentServices::Json(documents) => Wanted::Documents(documents),
    }
}

async fn edit(State(shared): State<Shared>, ConnectInfo(peer): From, Parameters(query): Query, edit: Edit) -> Answer {
    let control = Arc::clone(&shared.control);
    let made = to_the_end(async move { control.lock().await.edit(edit, query, peer.author()).await }).await?;
    answer(&shared, made, query).await
}

/// Makes a change to its end, even if its author hangs up meanwhile, which ends the handler: a revision that is in the
/// store and that nobody here knows of would never reach the maps, and be in the way of the next change.
pub async fn to_the_end(
    change: impl Future<Output = Result<Made, ApiError>> + Send + 'static,
) -> Result<Made, ApiError> {
    match tokio::spawn(change).await {
        Ok(made) => made,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(ApiError::new(ErrorCode::StoreFailed, "the daemon is stopping")
                .hint("look at the history when it is back: the change was made, or it was not")),
        },
    }
}

/// Waits for the maps if that is asked for.
async fn answer(shared: &Shared, Made { revision, changes }: Made, query: ChangeQuery) -> Answer {
    let mut applied = shared.applied.clone();
    let is_in_maps = |known: Option<u64>| known.is_some_and(|known| known >= revision);
    if query.wait {
        let is_over = |failure: Option<u64>| failure.is_some_and(|failed| failed >= revision);
        let waited = applied
            .wait_for(|now| is_in_maps(now.revision) || is_over(now.failure.as_ref().map(|(failed, _)| *failed)));
        let reason = match tokio::time::timeout(WAIT, waited).await {
            Ok(Ok(now)) if is_in_maps(now.revision) => None,
            Ok(Ok(now)) => now.failure.as_ref().map(|(_, reason)| reason.clone()),
            Ok(Err(_)) => Some("the daemon is stopping".to_owned()),
            Err(_) => Some(format!("it takes longer than {WAIT:?}")),
        };
        if let Some(reason) = reason {
            let message = format!("revision {revision} is in the store, and not in the maps: {reason}");
            let error = ApiError::new(ErrorCode::NotApplied, message);
            let hint = "it is tried again by itself; `anycast-xdp rollback` goes back to what was there";
            return Err(ApiError { revision: Some(revision), ..error.hint(hint) });
        }
    }
    let applied = is_in_maps(applied.borrow().revision);
    Ok(Json(ChangeResult { revision, applied, changes }))
}
