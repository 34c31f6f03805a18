//! The table of routes as an OpenAPI 3.1 document, whose schemas are those of the types that are sent.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    routes::{Answer, Body, ROUTES, Route},
    types::{
        API_VERSION, BackendPatch, BindRequest, ChangeQuery, ChangeResult, Diff, DiffQuery, DrainRequest, ErrorAnswer,
        ErrorCode, ExportQuery, FailbackResult, ListQuery, ObjectAnswer, Page, Plan, Publishing, PublishingQuery,
        ReconcilerStatus, Revisions, RevisionsQuery, RollbackRequest, TOML_MEDIA_TYPE, Version,
    },
};
use crate::{
    config,
    documents::Kind,
    health::view::{CheckQuery, Checked, Health},
};

/// The document.
pub fn document() -> Value {
    let schemas = schemas();
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(route, &schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "anycast-xdp",
            "summary": "PoPs, prefixes, VIPs, pools and bindings of a host, changed while packets flow",
            "version": API_VERSION.to_string(),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// Every schema by its name.
fn schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    add::<Version>(&mut generator);
    add::<Page>(&mut generator);
    add::<ObjectAnswer>(&mut generator);
    add::<ChangeResult>(&mut generator);
    add::<FailbackResult>(&mut generator);
    add::<Plan>(&mut generator);
    add::<Revisions>(&mut generator);
    add::<Diff>(&mut generator);
    add::<ReconcilerStatus>(&mut generator);
    add::<Health>(&mut generator);
    add::<Checked>(&mut generator);
    add::<CheckQuery>(&mut generator);
    add::<ErrorAnswer>(&mut generator);
    add::<BindRequest>(&mut generator);
    add::<BackendPatch>(&mut generator);
    add::<RollbackRequest>(&mut generator);
    add::<ChangeQuery>(&mut generator);
    add::<ListQuery>(&mut generator);
    add::<RevisionsQuery>(&mut generator);
    add::<DiffQuery>(&mut generator);
    add::<ExportQuery>(&mut generator);
    add::<Publishing>(&mut generator);
    add::<PublishingQuery>(&mut generator);
    add::<DrainRequest>(&mut generator);
    let mut schemas = generator.take_definitions(true);
    for kind in Kind::ALL {
        let object = config::json_schema(kind);
        let mut patch = object.clone();
        patch["required"] = json!([]);
        patch["description"] = "A merge patch (RFC 7396): `null` removes a key.".into();
        if let Some(properties) = patch["properties"].as_object_mut() {
            properties.remove("name");
            for property in properties.values_mut() {
                *property = json!({ "anyOf": [property.take(), { "type": "null" }] });
            }
        }
        schemas.insert(name_of(kind).to_owned(), object);
        schemas.insert(format!("{}Patch", name_of(kind)), patch);
    }
    let lists =
        Kind::ALL.map(|kind| (kind.plural().to_owned(), json!({ "type": "array", "items": reference(name_of(kind)) })));
    let services = json!({
        "type": "object",
        "properties": lists.into_iter().collect::<Map<_, _>>(),
        "additionalProperties": false,
    });
    schemas.insert("Services".to_owned(), services);
    schemas
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

const fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Pop => "Pop",
        Kind::Prefix => "Prefix",
        Kind::Pool => "Pool",
        Kind::Vip => "Vip",
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn operation(route: &Route, schemas: &Map<String, Value>) -> Value {
    let variables = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let variables =
        variables.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let parameters = variables.chain(route.parameters.into_iter().flat_map(|name| parameters(&schemas[name])));
    let created = if matches!(route.body, Body::Object(_)) { "201" } else { "200" };
    let mut operation = json!({
        "summary": route.summary,
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": { created: { "description": "done", "content": content(route.answer) } },
    });
    for code in ErrorCode::ALL {
        let answer = json!({
            "description": "an error; its `code` says which",
            "content": { "application/json": { "schema": reference("ErrorAnswer") } },
        });
        operation["responses"][code.status().to_string()] = answer;
    }
    if let Some(body) = body(route.body) {
        operation["requestBody"] = json!({ "required": true, "content": body });
    }
    operation
}

/// The properties of an object as parameters.
fn parameters(schema: &Value) -> Vec<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let parameters = properties.map(|(name, schema)| {
        let is_required = required.iter().any(|required| required == name);
        json!({ "name": name, "in": "query", "required": is_required, "schema": schema })
    });
    parameters.collect()
}

fn json_body(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn services() -> Value {
    json!({
        "application/json": { "schema": reference("Services") },
        TOML_MEDIA_TYPE: { "schema": { "type": "string" } },
    })
}

fn body(body: Body) -> Option<Value> {
    match body {
        Body::Nothing => None,
        Body::Object(kind) => Some(json_body(&reference(name_of(kind)))),
        Body::Patch(kind) => Some(json_body(&reference(&format!("{}Patch", name_of(kind))))),
        Body::Services => Some(services()),
        Body::Json(name) => Some(json_body(&reference(name))),
    }
}

fn content(answer: Answer) -> Value {
    match answer {
        Answer::Json(name) => json_body(&reference(name)),
        Answer::Services => services(),
        Answer::OpenApi => json_body(&json!({ "type": "object" })),
        Answer::Metrics => json!({
            "text/plain": { "schema": { "type": "string" } },
            "application/openmetrics-text": { "schema": { "type": "string" } },
        }),
    }
}
