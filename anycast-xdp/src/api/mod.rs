//! The control plane's API, version 1 ([ADR 8](../../../docs/adr/0008-services-in-a-store.md)).
//!
//! | file | concern |
//! | --- | --- |
//! | `types`, `requests`, `error` | what is asked and answered; client and server share them |
//! | `routes` | one table: paths, methods and what each takes and gives |
//! | `server` | the socket, who is at its other end, and the thread that serves it |
//! | `changes`, `moves`, `reads`, `publishing`, `health` | the handlers |
//! | `extract` | bodies and parameters, with the API's errors |
//! | `openapi` | the table as an OpenAPI document |

mod changes;
pub mod error;
mod extract;
mod health;
mod moves;
pub mod openapi;
mod peer;
mod publishing;
mod reads;
pub mod requests;
pub mod routes;
mod server;
pub mod types;

pub use self::{
    routes::{ROUTES, Route},
    server::{SOCKET, Server, Shared, serve},
};
