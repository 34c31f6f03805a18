//! One table of all routes, from which the server and the OpenAPI document are made.

use axum::{
    Router,
    extract::{Path, State},
    routing::{MethodRouter, delete, get, patch, post},
};

use super::{changes, health, moves, publishing, reads, server::Shared};
use crate::documents::Kind;

/// What a route takes in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Nothing,
    /// An object of this kind, with its name.
    Object(Kind),
    /// A merge patch of an object of this kind.
    Patch(Kind),
    /// All services: TOML or JSON.
    Services,
    /// JSON by the schema of this name.
    Json(&'static str),
}

/// What a route answers with, if all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// JSON by the schema of this name.
    Json(&'static str),
    /// All services: TOML or JSON.
    Services,
    /// This document.
    OpenApi,
    /// Metrics, in one of two text formats.
    Metrics,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GET /v1/version`
    Version,
    /// `GET /v1/openapi.json`
    OpenApi,
    /// A page of objects.
    List(Kind),
    /// A new object.
    Create(Kind),
    /// One object.
    Get(Kind),
    /// A patch of one.
    Update(Kind),
    /// One less.
    Delete(Kind),
    /// Binds a VIP.
    Bind,
    /// Unbinds a VIP.
    Unbind,
    /// Changes a backend.
    Backend,
    /// Takes flows back to a pool.
    FailBack,
    /// What `Apply` would do.
    Plan,
    /// All services at once.
    Apply,
    /// All services as a file.
    Export,
    /// The history.
    Revisions,
    /// What is different between two revisions.
    Diff,
    /// The services of an earlier revision.
    Rollback,
    /// How far the maps are.
    Reconciler,
    /// What is published.
    Publishing,
    /// Drains the host or its PoP.
    Drain,
    /// Ends a drain.
    Undrain,
    /// The health of backends.
    Health,
    /// One probe of each backend of a pool.
    CheckHealth,
    /// `GET /metrics`
    Metrics,
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Method in lower case.
    pub method: &'static str,
    /// Path with its variables in braces.
    pub path: &'static str,
    /// Says what it does.
    pub summary: &'static str,
    /// What it does.
    pub operation: Operation,
    /// Name of the schema of its parameters.
    pub parameters: Option<&'static str>,
    /// What it takes.
    pub body: Body,
    /// What it answers with.
    pub answer: Answer,
}

const fn read(
    path: &'static str,
    operation: Operation,
    parameters: Option<&'static str>,
    answer: Answer,
    summary: &'static str,
) -> Route {
    Route { method: "get", path, summary, operation, parameters, body: Body::Nothing, answer }
}

const fn change(
    method: &'static str,
    path: &'static str,
    operation: Operation,
    body: Body,
    summary: &'static str,
) -> Route {
    let answer = Answer::Json("ChangeResult");
    Route { method, path, summary, operation, parameters: Some("ChangeQuery"), body, answer }
}

const fn drain(path: &'static str, operation: Operation, summary: &'static str) -> Route {
    let (body, answer) = (Body::Json("DrainRequest"), Answer::Json("Publishing"));
    Route { method: "post", path, summary, operation, parameters: None, body, answer }
}

use Operation as Op;

/// All of them.
pub const ROUTES: &[Route] = &[
    read("/v1/version", Op::Version, None, Answer::Json("Version"), "The program, the host, and how far the maps are"),
    read("/v1/openapi.json", Op::OpenApi, None, Answer::OpenApi, "This document"),
    read("/v1/pops", Op::List(Kind::Pop), Some("ListQuery"), Answer::Json("Page"), "PoPs, by name"),
    read("/v1/prefixes", Op::List(Kind::Prefix), Some("ListQuery"), Answer::Json("Page"), "Prefixes, by name"),
    read("/v1/pools", Op::List(Kind::Pool), Some("ListQuery"), Answer::Json("Page"), "Pools, by name"),
    read("/v1/vips", Op::List(Kind::Vip), Some("ListQuery"), Answer::Json("Page"), "VIPs, by name"),
    change("post", "/v1/pops", Op::Create(Kind::Pop), Body::Object(Kind::Pop), "Create a PoP"),
    change("post", "/v1/prefixes", Op::Create(Kind::Prefix), Body::Object(Kind::Prefix), "Create a prefix"),
    change("post", "/v1/pools", Op::Create(Kind::Pool), Body::Object(Kind::Pool), "Create a pool"),
    change("post", "/v1/vips", Op::Create(Kind::Vip), Body::Object(Kind::Vip), "Create a VIP"),
    read("/v1/pops/{name}", Op::Get(Kind::Pop), None, Answer::Json("ObjectAnswer"), "One PoP"),
    read("/v1/prefixes/{name}", Op::Get(Kind::Prefix), None, Answer::Json("ObjectAnswer"), "One prefix"),
    read("/v1/pools/{name}", Op::Get(Kind::Pool), None, Answer::Json("ObjectAnswer"), "One pool"),
    read("/v1/vips/{name}", Op::Get(Kind::Vip), None, Answer::Json("ObjectAnswer"), "One VIP"),
    change("patch", "/v1/pops/{name}", Op::Update(Kind::Pop), Body::Patch(Kind::Pop), "Change a PoP"),
    change("patch", "/v1/prefixes/{name}", Op::Update(Kind::Prefix), Body::Patch(Kind::Prefix), "Change a prefix"),
    change("patch", "/v1/pools/{name}", Op::Update(Kind::Pool), Body::Patch(Kind::Pool), "Change a pool"),
    change("patch", "/v1/vips/{name}", Op::Update(Kind::Vip), Body::Patch(Kind::Vip), "Change a VIP"),
    change("delete", "/v1/pops/{name}", Op::Delete(Kind::Pop), Body::Nothing, "Delete a PoP: it is up from then on"),
    change("delete", "/v1/prefixes/{name}", Op::Delete(Kind::Prefix), Body::Nothing, "Delete a prefix without VIPs"),
    change(
        "delete",
        "/v1/pools/{name}",
        Op::Delete(Kind::Pool),
        Body::Nothing,
        "Delete a pool that no VIP is bound to",
    ),
    change("delete", "/v1/vips/{name}", Op::Delete(Kind::Vip), Body::Nothing, "Delete a VIP"),
    change("post", "/v1/vips/{name}/bind", Op::Bind, Body::Json("BindRequest"), "Bind a VIP to pools"),
    change(
        "post",
        "/v1/vips/{name}/unbind",
        Op::Unbind,
        Body::Nothing,
        "Bind a VIP to no pool: its packets are dropped",
    ),
    change(
        "patch",
        "/v1/pools/{name}/backends/{address}",
        Op::Backend,
        Body::Json("BackendPatch"),
        "Drain, undrain, take down or weigh a backend",
    ),
    Route {
        method: "post",
        path: "/v1/pools/{name}/failback",
        summary: "Take flows back to a pool that is usable again, on this host",
        operation: Op::FailBack,
        parameters: None,
        body: Body::Nothing,
        answer: Answer::Json("FailbackResult"),
    },
    Route {
        method: "post",
        path: "/v1/plan",
        summary: "What `apply` of the same body would change",
        operation: Op::Plan,
        parameters: None,
        body: Body::Services,
        answer: Answer::Json("Plan"),
    },
    change("post", "/v1/apply", Op::Apply, Body::Services, "Make the services those of the body"),
    read("/v1/export", Op::Export, Some("ExportQuery"), Answer::Services, "The services as `apply` takes them"),
    read(
        "/v1/revisions",
        Op::Revisions,
        Some("RevisionsQuery"),
        Answer::Json("Revisions"),
        "The history, newest first",
    ),
    read("/v1/diff", Op::Diff, Some("DiffQuery"), Answer::Json("Diff"), "What is different between two revisions"),
    change("post", "/v1/rollback", Op::Rollback, Body::Json("RollbackRequest"), "The services of an earlier revision"),
    read("/v1/reconciler", Op::Reconciler, None, Answer::Json("ReconcilerStatus"), "How far the maps are"),
    read(
        "/v1/publishing",
        Op::Publishing,
        Some("PublishingQuery"),
        Answer::Json("Publishing"),
        "What this host publishes, and why not",
    ),
    drain("/v1/drain", Op::Drain, "Drain the host or its PoP"),
    drain("/v1/undrain", Op::Undrain, "End a drain: what is well is published at once"),
    read("/v1/health", Op::Health, None, Answer::Json("Health"), "The health of the backends of pools with a check"),
    Route {
        method: "post",
        path: "/v1/health/check",
        summary: "Probe the backends of a pool once, now; it changes nothing",
        operation: Op::CheckHealth,
        parameters: Some("CheckQuery"),
        body: Body::Nothing,
        answer: Answer::Json("Checked"),
    },
    read("/metrics", Op::Metrics, None, Answer::Metrics, "Metrics for Prometheus"),
];

/// The server's router.
pub fn router() -> Router<Shared> {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, handler(route.operation)));
    routes.fallback(reads::nowhere).method_not_allowed_fallback(reads::nowhere)
}

fn handler(operation: Operation) -> MethodRouter<Shared> {
    match operation {
        Op::Version => get(reads::version),
        Op::OpenApi => get(reads::openapi),
        Op::List(kind) => get(move |state: State<Shared>, query| reads::list(state, kind, query)),
        Op::Create(kind) => {
            post(move |state: State<Shared>, from, query, object| changes::create(state, kind, from, query, object))
        }
        Op::Get(kind) => get(move |state: State<Shared>, name: Path<String>| reads::get(state, kind, name)),
        Op::Update(kind) => patch(move |state: State<Shared>, from, query, name: Path<String>, sent| {
            changes::update(state, kind, from, query, name, sent)
        }),
        Op::Delete(kind) => delete(move |state: State<Shared>, from, query, name: Path<String>| {
            changes::delete(state, kind, from, query, name)
        }),
        Op::Bind => post(changes::bind),
        Op::Unbind => post(changes::unbind),
        Op::Backend => patch(changes::backend),
        Op::FailBack => post(moves::fail_back),
        Op::Plan => post(changes::plan),
        Op::Apply => post(changes::apply),
        Op::Export => get(reads::export),
        Op::Revisions => get(reads::revisions),
        Op::Diff => get(reads::diff),
        Op::Rollback => post(changes::rollback),
        Op::Reconciler => get(reads::reconciler),
        Op::Publishing => get(publishing::publishing),
        Op::Drain => post(publishing::drain),
        Op::Undrain => post(publishing::undrain),
        Op::Health => get(health::health),
        Op::CheckHealth => post(health::check),
        Op::Metrics => get(reads::metrics),
    }
}
