//! The answer to a scrape.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{Metrics, classic::classic};

/// Media type of OpenMetrics.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Media type of the format before it.
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, in the format that is asked for: OpenMetrics for those who say so, as Prometheus does.
pub async fn answer(metrics: &Arc<Metrics>, headers: &HeaderMap) -> Response {
    let exposition = match metrics.exposition().await {
        Ok(exposition) => exposition,
        Err(error) => {
            tracing::warn!("the metrics could not be read: {error:#}");
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}\n")).into_response();
        }
    };
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/openmetrics-text") {
        ([(header::CONTENT_TYPE, OPENMETRICS)], exposition).into_response()
    } else {
        ([(header::CONTENT_TYPE, CLASSIC)], classic(&exposition)).into_response()
    }
}
