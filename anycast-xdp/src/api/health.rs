//! Handlers about the health of backends.

use axum::{Json, extract::State};

use super::{
    extract::Parameters,
    server::Shared,
    types::{ApiError, ErrorCode},
};
use crate::health::view::{CheckQuery, Checked, Health};

pub async fn health(State(shared): State<Shared>) -> Json<Health> {
    Json(Health { backends: shared.health.view().await })
}

pub async fn check(
    State(shared): State<Shared>,
    Parameters(query): Parameters<CheckQuery>,
) -> Result<Json<Checked>, ApiError> {
    let probes = shared.health.check(&query).await;
    if probes.is_empty() {
        let message = match query.backend {
            Some(backend) => format!("pool `{}` has no check, or no backend {backend}", query.pool),
            None => format!("there is no pool `{}` that is checked", query.pool),
        };
        return Err(ApiError::new(ErrorCode::NotFound, message)
            .hint("`anycast-xdp health` shows what is checked: pools with [pool.health] that a VIP is bound to"));
    }
    Ok(Json(Checked { probes }))
}
