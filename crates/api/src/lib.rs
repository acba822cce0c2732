//! The HTTP edge: listeners, request ids, authentication, bodies, routes, problem+json, OpenAPI.
//!
//! A request comes in through [`serve`] (plain or HTTPS), gets an id, is routed, authenticated and parsed here, and
//! handed to a use case of `attestary-service`. Nothing here decides who may do what, and nothing below knows HTTP.
//! Only routes of the OpenAPI document (and the compatibility paths of foreign clients) answer.

mod app;
mod body;
mod cookie;
mod cross_origin;
mod errors;
mod extract;
mod members;
mod metrics;
mod network;
mod openapi;
mod pace;
mod peers;
mod problem;
mod query;
mod receipts;
mod routes;
mod serve;
mod settings;
mod syslog;
mod tls;

pub use app::{App, router};
pub use metrics::install as install_metrics;
pub use network::Cidr;
pub use openapi::document as openapi_document;
pub use routes::sessions::sign_in_path;
pub use serve::serve;
pub use settings::{Settings, SignIn};
pub use syslog::{
    SyslogError, SyslogListener, SyslogListeners, SyslogSender, SyslogSettings, SyslogTls,
    SyslogTransport,
};
pub use tls::{Tls, TlsError};
