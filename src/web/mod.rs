//! The pages of the daemon. They read snapshots and never ask AWS.
//!
//! `/` for people, `/metrics` for Prometheus, `/healthz` and `/readyz` for supervisors, `/api/v1/status` for programs.

mod page;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hyper::header::{ALLOW, CACHE_CONTROL, SERVER};
use hyper::{Method, StatusCode};
use tokio::sync::watch;

use crate::domain::FleetSnapshot;
use crate::http::{Handler, Request, Response};
use crate::ports::Heartbeats;
use crate::view::status_json;

/// What the pages call their server.
pub const PRODUCT: &str = "evenkeel";

/// Makes the text of `/metrics` from a snapshot.
pub type Scrape = Arc<dyn Fn(&FleetSnapshot) -> Result<String, String> + Send + Sync>;

/// The pages.
pub struct Pages {
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
    heartbeats: Arc<Heartbeats>,
    scrape: Scrape,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    /// Pages that show what `fleet` holds.
    #[must_use]
    pub fn new(
        fleet: watch::Receiver<Arc<FleetSnapshot>>,
        heartbeats: Arc<Heartbeats>,
        scrape: Scrape,
    ) -> Self {
        Self {
            fleet,
            heartbeats,
            scrape,
        }
    }

    fn metrics(&self, fleet: &FleetSnapshot) -> Response {
        match (self.scrape)(fleet) {
            Ok(text) => Response::new(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                text,
            ),
            Err(why) => Response::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")),
        }
    }

    /// Live means that every loop ticked lately.
    fn health(&self) -> Response {
        let silent = self.heartbeats.silent();
        if silent.is_empty() {
            return Response::text(StatusCode::OK, "ok\n");
        }
        let lines: Vec<String> = silent
            .iter()
            .map(|(task, silence)| format!("{task}: silent for {} s\n", silence.as_secs()))
            .collect();
        Response::text(StatusCode::SERVICE_UNAVAILABLE, lines.concat())
    }
}

/// Ready means that every scope has been observed to the end once.
fn readiness(fleet: &FleetSnapshot) -> Response {
    let unready: Vec<String> = fleet
        .scopes
        .iter()
        .filter(|(_, scope)| !scope.observed_once)
        .map(|(name, _)| format!("scope {name}: no complete observation yet\n"))
        .collect();
    if unready.is_empty() && fleet.is_ready() {
        Response::text(StatusCode::OK, "ready\n")
    } else {
        Response::text(StatusCode::SERVICE_UNAVAILABLE, unready.concat())
    }
}

#[async_trait]
impl Handler for Pages {
    /// Whoever starts and stops the daemon has no token, and hears nothing but yes or no.
    fn is_open(&self, path: &str) -> bool {
        matches!(path, "/healthz" | "/readyz")
    }

    async fn handle(&self, request: Request) -> Response {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return Response::text(StatusCode::METHOD_NOT_ALLOWED, "read only\n")
                .with_header(ALLOW, "GET, HEAD");
        }
        let fleet = Arc::clone(&self.fleet.borrow());
        let response = match request.path.as_str() {
            "/" => Response::new(
                StatusCode::OK,
                "text/html; charset=utf-8",
                page::render(&fleet),
            ),
            "/metrics" => self.metrics(&fleet),
            "/healthz" => self.health(),
            "/readyz" => readiness(&fleet),
            "/api/v1/status" => {
                let body = format!("{}\n", status_json(&fleet));
                Response::new(StatusCode::OK, "application/json", body)
            }
            _ => Response::text(
                StatusCode::NOT_FOUND,
                "there are / /metrics /healthz /readyz /api/v1/status\n",
            ),
        };
        response
            .with_header(CACHE_CONTROL, "no-store")
            .with_header(SERVER, PRODUCT)
    }
}
