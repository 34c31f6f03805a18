//! Bodies and parameters. What cannot be read is answered as every other error is.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::types::{ApiError, ErrorAnswer, ErrorCode, NamedDocument, TOML_MEDIA_TYPE};
use crate::documents::{Document, Documents, Key, Kind};

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(ErrorAnswer { error: self })).into_response()
    }
}

/// The parameters of a request.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(ApiError::new(ErrorCode::BadRequest, rejection.body_text())
                .hint("`GET /v1/openapi.json` tells the parameters of each path")),
        }
    }
}

/// A body in JSON.
#[derive(Debug)]
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = bytes(request, state).await?;
        serde_json::from_slice(&body).map(Self).map_err(|error| not_json(&error))
    }
}

/// All services, in TOML or in JSON.
#[derive(Debug)]
pub enum SentServices {
    /// A file.
    Toml(String),
    /// Lists of objects by the plural of their kind.
    Json(Documents),
}

impl<S: Send + Sync> FromRequest<S> for SentServices {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_toml = has_type(request.headers(), TOML_MEDIA_TYPE);
        let body = bytes(request, state).await?;
        if is_toml {
            let text = String::from_utf8(body.into());
            return text.map(Self::Toml).map_err(|_| ApiError::new(ErrorCode::BadRequest, "the body is not UTF-8"));
        }
        let lists: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| not_json(&error))?;
        documents(lists).map(Self::Json)
    }
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|given| given.trim().eq_ignore_ascii_case(wanted))
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| ApiError::new(ErrorCode::BadRequest, rejection.body_text()))
}

fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, format!("the body is not what is expected here: {error}")).hint(
        "`GET /v1/openapi.json` tells what each path takes; a file in TOML needs `Content-Type: application/toml`",
    )
}

fn documents(lists: Map<String, Value>) -> Result<Documents, ApiError> {
    let mut documents = Documents::default();
    for (plural, list) in lists {
        let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == plural);
        let kind = kind.ok_or_else(|| {
            ApiError::new(ErrorCode::BadRequest, format!("`{plural}` is no kind of object"))
                .hint("write `pops`, `prefixes`, `pools` and `vips`, each a list of objects")
        })?;
        let objects: Vec<NamedDocument> = serde_json::from_value(list).map_err(|error| not_json(&error))?;
        for NamedDocument { name, document } in objects {
            let key = Key::new(kind, name);
            if documents.get(&key).is_some() {
                return Err(ApiError::new(ErrorCode::BadRequest, format!("there are two of {key}"))
                    .hint("give each a name of its own"));
            }
            documents.put(key, document);
        }
    }
    Ok(documents)
}

/// All services in JSON, as [`SentServices`] takes them.
pub fn lists(documents: &Documents) -> Map<String, Value> {
    let list = |kind| {
        let objects = documents.of(kind).map(|(name, document)| {
            let mut object = Document::new();
            object.insert("name".to_owned(), name.into());
            object.extend(document.clone());
            Value::Object(object)
        });
        Value::Array(objects.collect())
    };
    Kind::ALL.into_iter().map(|kind| (kind.plural().to_owned(), list(kind))).collect()
}
