//! Handlers of what moves flows and changes no services.

use axum::{
    Json,
    extract::{Path, State},
};
use tokio::sync::oneshot;

use super::{
    server::Shared,
    types::{ApiError, ErrorCode, FailbackResult, MovedBinding},
};
use crate::control::Command;

pub async fn fail_back(
    State(shared): State<Shared>,
    Path(pool): Path<String>,
) -> Result<Json<FailbackResult>, ApiError> {
    let (answer, answered) = oneshot::channel();
    let stops = || ApiError::new(ErrorCode::NotApplied, "the daemon stops, and moves no flows any more");
    shared.commands.send(Command::FailBack(pool.clone(), answer)).await.map_err(|_| stops())?;
    let moved = answered.await.map_err(|_| stops())?;
    let moved = moved.map_err(|reason| ApiError::new(ErrorCode::NotApplied, reason))?;
    let moved = moved.ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("the maps have no pool {pool}"))
            .hint("`anycast-xdp status` shows the bindings and their pools")
    })?;
    Ok(Json(FailbackResult { pool, moved: moved.into_iter().map(MovedBinding::from).collect() }))
}
