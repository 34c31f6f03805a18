//! What is not valid, or does not fit this host, as the API tells it.

use super::Desired;
use crate::{
    api::types::{ApiError, ErrorCode, Finding},
    config::{
        self, ConfigErrors, Host, Stored,
        host::{HostFacts, Severity},
    },
    desired::Config,
    store::{Snapshot, StoreError},
};

/// What the reconciler is to make of the newest revision.
///
/// # Errors
///
/// Everything that is wrong with it on this host.
pub(super) fn of_head(host: &Host, head: Option<&Snapshot>, config: Config) -> Result<Desired, anyhow::Error> {
    match head {
        None => Ok(Desired::whole(0, Stored::nothing(config).config)),
        Some(head) => {
            let revision = head.record.revision;
            let stored = host.judge(config::Source::Documents(&head.documents));
            let stored = stored.map_err(|errors| anyhow::anyhow!("revision {revision} of the store: {errors}"))?;
            Ok(Desired::whole(revision, stored.config))
        }
    }
}

/// The findings of the schema.
pub(super) fn invalid(errors: ConfigErrors) -> ApiError {
    let count = errors.errors.len();
    let message = format!("the services would have {count} {}", if count == 1 { "error" } else { "errors" });
    let findings = errors.errors.into_iter().map(|error| Finding {
        field: error.field,
        line: error.line,
        column: error.column,
        problem: error.problem,
        help: error.help,
    });
    ApiError { findings: findings.collect(), ..ApiError::new(ErrorCode::Invalid, message) }
}

/// The path of a field with the names of objects in the place of their numbers: `vip[3].return` is `vip.web.return`.
fn by_name(field: &str, config: &Config) -> String {
    let named = |kind: &str, name: &dyn Fn(usize) -> Option<String>| {
        let (number, rest) = field.strip_prefix(kind)?.strip_prefix('[')?.split_once(']')?;
        Some(format!("{kind}.{}{rest}", name(number.parse().ok()?)?))
    };
    let services = &config.services;
    named("vip", &|at| Some(services.vips.get(at)?.name.clone()))
        .or_else(|| named("pool", &|at| Some(services.pools.get(at)?.name.clone())))
        .unwrap_or_else(|| field.to_owned())
}

/// What this host cannot carry is refused; what it might not is told in the log.
///
/// # Errors
///
/// With all that does not fit, by the names of objects or by their numbers in a file.
pub(super) async fn fits(config: &Config, names_objects: bool) -> Result<(), ApiError> {
    let facts = HostFacts::read().await.map_err(|error| {
        ApiError::new(ErrorCode::StoreFailed, format!("the host could not be looked at: {error:#}"))
    })?;
    let remarks = config::remarks(config, Some(&facts));
    let (errors, warnings): (Vec<_>, Vec<_>) = remarks.iter().partition(|remark| remark.severity == Severity::Error);
    for warning in warnings {
        tracing::debug!(field = warning.field, help = warning.help, "{}", warning.problem);
    }
    if errors.is_empty() {
        return Ok(());
    }
    let findings = errors.into_iter().map(|remark| Finding {
        field: if names_objects { by_name(&remark.field, config) } else { remark.field.clone() },
        line: None,
        column: None,
        problem: remark.problem.clone(),
        help: remark.help.clone(),
    });
    let error = ApiError::new(ErrorCode::Invalid, "this host cannot carry these services");
    Err(ApiError { findings: findings.collect(), ..error })
}

/// The API's error for one of the store.
pub fn store_failed(error: &StoreError) -> ApiError {
    let code = match error {
        StoreError::Conflict { .. } => ErrorCode::Conflict,
        StoreError::TooLarge { .. } => ErrorCode::Invalid,
        StoreError::Unavailable { .. } | StoreError::Corrupt { .. } => ErrorCode::StoreFailed,
    };
    let hint = error.help().to_owned();
    ApiError::new(code, error.to_string()).hint(hint)
}
