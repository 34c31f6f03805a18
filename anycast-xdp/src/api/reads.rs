//! Handlers of what is only read.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{
    extract::{Parameters, lists},
    server::Shared,
    types::{
        API_VERSION, ApiError, Diff, DiffQuery, ErrorCode, ExportQuery, ListQuery, ObjectAnswer, Page, ReconcilerState,
        ReconcilerStatus, Revisions, RevisionsQuery, TOML_MEDIA_TYPE, Version,
    },
};
use crate::{
    config::to_toml,
    desired::Role,
    documents::{Key, Kind},
};

pub async fn version(State(shared): State<Shared>) -> Json<Version> {
    let control = shared.control.lock().await;
    let local = control.local();
    Json(Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api_version: API_VERSION,
        instance: local.instance,
        role: match local.role {
            Role::Pop(_) => "pop".to_owned(),
            Role::Gateway(_) => "gateway".to_owned(),
        },
        pop: local.pop,
        host: local.host,
        source: control.source(),
        revision: control.revision(),
        applied_revision: shared.applied.borrow().revision,
    })
}

pub async fn openapi() -> Json<serde_json::Value> {
    Json(super::openapi::document())
}

pub async fn list(
    State(shared): State<Shared>,
    kind: Kind,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page>, ApiError> {
    Ok(Json(shared.control.lock().await.list(kind, &query)?))
}

pub async fn get(
    State(shared): State<Shared>,
    kind: Kind,
    Path(name): Path<String>,
) -> Result<Json<ObjectAnswer>, ApiError> {
    Ok(Json(shared.control.lock().await.object(&Key::new(kind, name))?))
}

pub async fn export(
    State(shared): State<Shared>,
    Parameters(query): Parameters<ExportQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let documents = shared.control.lock().await.documents_of(query.revision).await?;
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("json") {
        return Ok(Json(lists(&documents)).into_response());
    }
    Ok(([(header::CONTENT_TYPE, TOML_MEDIA_TYPE)], to_toml(&documents)).into_response())
}

pub async fn revisions(
    State(shared): State<Shared>,
    Parameters(query): Parameters<RevisionsQuery>,
) -> Result<Json<Revisions>, ApiError> {
    Ok(Json(shared.control.lock().await.revisions(query).await?))
}

pub async fn diff(
    State(shared): State<Shared>,
    Parameters(query): Parameters<DiffQuery>,
) -> Result<Json<Diff>, ApiError> {
    Ok(Json(shared.control.lock().await.diff(query.from, query.to).await?))
}

pub async fn reconciler(State(shared): State<Shared>) -> Json<ReconcilerStatus> {
    let revision = shared.control.lock().await.revision();
    let applied = shared.applied.borrow().clone();
    let error = applied.failure.map(|(_, reason)| reason);
    let state = match (&error, applied.revision) {
        (Some(_), _) => ReconcilerState::Failed,
        (None, Some(applied)) if applied >= revision => ReconcilerState::Applied,
        (None, _) => ReconcilerState::Applying,
    };
    Json(ReconcilerStatus { revision, applied_revision: applied.revision, state, error, drift: applied.drift })
}

/// Where no route leads.
pub async fn nowhere() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "no such path, or not by this method")
        .hint("`GET /v1/openapi.json` tells the paths")
}
