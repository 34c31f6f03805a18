//! What can be asked, as the API has it.

use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Answer, Body, Client, ClientError, wire::Ask};
use crate::{
    api::types::{
        BackendPatch, BindRequest, ChangeQuery, ChangeResult, Diff, DiffQuery, DrainRequest, ExportQuery,
        FailbackResult, ListQuery, NamedDocument, ObjectAnswer, Page, Plan, Publishing, PublishingQuery,
        ReconcilerStatus, Revisions, RevisionsQuery, RollbackRequest, TOML_MEDIA_TYPE, Version,
    },
    documents::{Key, Kind},
    health::view::{CheckQuery, Checked, Health},
};

type Answered<T> = Result<Answer<T>, ClientError>;

/// What a part of a path may hold as it is: whatever else somebody writes for a name is for the daemon to refuse.
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b':');

impl Client {
    /// Who answers.
    pub async fn version(&self) -> Answered<Version> {
        self.ask(Ask::new(Method::GET, path(&["version"]))).await
    }

    /// How far the maps are.
    pub async fn reconciler(&self) -> Answered<ReconcilerStatus> {
        self.ask(Ask::new(Method::GET, path(&["reconciler"]))).await
    }

    /// What is published.
    pub async fn publishing(&self, query: &PublishingQuery) -> Answered<Publishing> {
        self.ask(Ask::new(Method::GET, path(&["publishing"])).query(query)?).await
    }

    /// Drains the host or its PoP.
    pub async fn drain(&self, request: &DrainRequest) -> Answered<Publishing> {
        self.ask(Ask::new(Method::POST, path(&["drain"])).json(request)?).await
    }

    /// Ends a drain.
    pub async fn undrain(&self, request: &DrainRequest) -> Answered<Publishing> {
        self.ask(Ask::new(Method::POST, path(&["undrain"])).json(request)?).await
    }

    /// The health of the backends of pools with a check.
    pub async fn health(&self) -> Answered<Health> {
        self.ask(Ask::new(Method::GET, path(&["health"]))).await
    }

    /// Probes backends of a pool once.
    pub async fn check_health(&self, query: &CheckQuery) -> Answered<Checked> {
        self.ask(Ask::new(Method::POST, path(&["health", "check"])).query(query)?).await
    }

    /// A part of the objects of a kind.
    pub async fn list(&self, kind: Kind, query: &ListQuery) -> Answered<Page> {
        self.ask(Ask::new(Method::GET, path(&[kind.plural()])).query(query)?).await
    }

    /// One object.
    pub async fn get(&self, key: &Key) -> Answered<ObjectAnswer> {
        self.ask(Ask::new(Method::GET, object(key))).await
    }

    /// Makes an object.
    pub async fn create(&self, kind: Kind, object: &NamedDocument, query: &ChangeQuery) -> Answered<ChangeResult> {
        self.ask(Ask::new(Method::POST, path(&[kind.plural()])).query(query)?.json(object)?).await
    }

    /// Changes keys of an object by a merge patch.
    pub async fn update(&self, key: &Key, patch: Value, query: &ChangeQuery) -> Answered<ChangeResult> {
        self.ask(Ask::new(Method::PATCH, object(key)).query(query)?.body(Body::Json(patch))).await
    }

    /// Takes an object away.
    pub async fn delete(&self, key: &Key, query: &ChangeQuery) -> Answered<ChangeResult> {
        self.ask(Ask::new(Method::DELETE, object(key)).query(query)?).await
    }

    /// Binds a VIP to pools.
    pub async fn bind(&self, vip: &str, request: &BindRequest, query: &ChangeQuery) -> Answered<ChangeResult> {
        self.ask(Ask::new(Method::POST, path(&["vips", vip, "bind"])).query(query)?.json(request)?).await
    }

    /// Takes a VIP's pools away.
    pub async fn unbind(&self, vip: &str, query: &ChangeQuery) -> Answered<ChangeResult> {
        self.ask(Ask::new(Method::POST, path(&["vips", vip, "unbind"])).query(query)?).await
    }

    /// Changes a backend of a pool.
    pub async fn patch_backend(
        &self,
        pool: &str,
        address: &str,
        patch: &BackendPatch,
        query: &ChangeQuery,
    ) -> Answered<ChangeResult> {
        let path = path(&["pools", pool, "backends", address]);
        self.ask(Ask::new(Method::PATCH, path).query(query)?.json(patch)?).await
    }

    /// Takes flows back to a pool that is usable again.
    pub async fn fail_back(&self, pool: &str) -> Answered<FailbackResult> {
        self.ask(Ask::new(Method::POST, path(&["pools", pool, "failback"]))).await
    }

    /// What [`apply`](Self::apply) of the same body would change.
    pub async fn plan(&self, services: Body) -> Answered<Plan> {
        self.ask(Ask::new(Method::POST, path(&["plan"])).body(services)).await
    }

    /// Makes the services those of the body.
    pub async fn apply(&self, services: Body, query: &ChangeQuery) -> Answered<ChangeResult> {
        self.ask(Ask::new(Method::POST, path(&["apply"])).query(query)?.body(services)).await
    }

    /// The services as TOML that [`apply`](Self::apply) takes.
    pub async fn export_toml(&self, query: &ExportQuery) -> Result<String, ClientError> {
        let ask = Ask::new(Method::GET, path(&["export"])).query(query)?.accept(TOML_MEDIA_TYPE);
        let bytes = self.ask_bytes(ask).await?;
        String::from_utf8(bytes.into()).map_err(|error| ClientError::Alien { reason: error.to_string() })
    }

    /// The services as JSON that [`apply`](Self::apply) takes.
    pub async fn export_json(&self, query: &ExportQuery) -> Result<Value, ClientError> {
        Ok(self.ask::<Value>(Ask::new(Method::GET, path(&["export"])).query(query)?).await?.json)
    }

    /// A part of the history, newest first.
    pub async fn revisions(&self, query: &RevisionsQuery) -> Answered<Revisions> {
        self.ask(Ask::new(Method::GET, path(&["revisions"])).query(query)?).await
    }

    /// What is different between two revisions.
    pub async fn diff(&self, query: &DiffQuery) -> Answered<Diff> {
        self.ask(Ask::new(Method::GET, path(&["diff"])).query(query)?).await
    }

    /// The services of an earlier revision as a new one.
    pub async fn rollback(&self, request: &RollbackRequest, query: &ChangeQuery) -> Answered<ChangeResult> {
        self.ask(Ask::new(Method::POST, path(&["rollback"])).query(query)?.json(request)?).await
    }
}

fn object(key: &Key) -> String {
    path(&[key.kind.plural(), &key.name])
}

fn path(parts: &[&str]) -> String {
    parts.iter().fold("/v1".to_owned(), |path, part| format!("{path}/{}", utf8_percent_encode(part, AS_IT_IS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_stays_within_its_part_of_the_path() {
        assert_eq!(object(&Key::new(Kind::Vip, "web-1")), "/v1/vips/web-1");
        assert_eq!(object(&Key::new(Kind::Prefix, "../a b?c#d%")), "/v1/prefixes/..%2Fa%20b%3Fc%23d%25");
        assert_eq!(path(&["pools", "home", "backends", "fd00::2"]), "/v1/pools/home/backends/fd00::2");
    }
}
