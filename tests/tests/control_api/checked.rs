//! A client that believes `/v1/openapi.json`, and nothing that is not as it says.

use std::{cell::RefCell, collections::BTreeSet};

use anycast_tests::lab::api::{Answer, Api, JSON, Request, TOML};
use serde_json::{Value, json};

/// The API, with its own description.
pub struct Checked {
    pub api: Api,
    pub openapi: Value,
    /// Method and path, as the description has them, of what was asked and done.
    pub done: RefCell<BTreeSet<(String, String)>>,
}

impl Checked {
    pub fn new(api: Api) -> Self {
        let openapi = api.get("/v1/openapi.json").unwrap();
        Self { api, openapi, done: RefCell::default() }
    }

    /// Asks without a body.
    pub fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_with(method, path, |request| request)
    }

    /// Asks with JSON.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(method, path, |request| request.json(body))
    }

    /// Sends JSON, and expects this status; what is answered.
    pub fn good(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = if body.is_null() { self.ask(method, path) } else { self.send(method, path, body) };
        assert!((200..300).contains(&answer.status), "{method} {path} {body}: {} {}", answer.status, answer.text());
        let json = answer.json().unwrap();
        if !body.is_null() && answer.status < 300 {
            // What it takes is what it says that it takes.
            let (_, operation) = self.operation(method, path).unwrap();
            self.assert_valid(&operation["requestBody"]["content"][JSON]["schema"], body, path);
        }
        json
    }

    /// Asks with whatever `with` adds; the answer is as described.
    pub fn ask_with<'a>(
        &'a self,
        method: &'a str,
        path: &'a str,
        with: impl FnOnce(Request<'a>) -> Request<'a>,
    ) -> Answer {
        let answer = with(self.api.request(method, path)).send().unwrap();
        let what = format!("{method} {path}: {} {}", answer.status, answer.text());
        let Some((template, operation)) = self.operation(method, path) else {
            assert_eq!(answer.status, 404, "{what}");
            self.assert_valid(&json!({ "$ref": "#/components/schemas/ErrorAnswer" }), &answer.json().unwrap(), &what);
            return answer;
        };
        let described = &operation["responses"][answer.status.to_string()]["content"][&answer.media_type]["schema"];
        assert!(described.is_object(), "no such answer is described: {what} ({})", answer.media_type);
        let body = if answer.media_type == TOML { json!(answer.text()) } else { answer.json().unwrap() };
        self.assert_valid(described, &body, &what);
        if answer.status < 300 {
            self.done.borrow_mut().insert((method.to_owned(), template));
        }
        answer
    }

    /// Path and description of what a request is for.
    fn operation(&self, method: &str, path: &str) -> Option<(String, &Value)> {
        let path = path.split('?').next().unwrap();
        let is_it = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(&path).all(|(part, given)| part == given || part.starts_with('{'))
        };
        let paths = self.openapi["paths"].as_object().unwrap();
        let (template, operations) = paths.iter().find(|(template, _)| is_it(template))?;
        Some((template.clone(), operations.get(method)?))
    }

    fn assert_valid(&self, schema: &Value, body: &Value, what: &str) {
        let mut schema = schema.clone();
        schema["components"] = self.openapi["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<_> = validator.iter_errors(body).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{what} is not as described: {wrong:?}");
    }
}
