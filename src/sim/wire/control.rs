//! `/_sandbox`: what AWS has no API for.
//!
//! - `GET /_sandbox/clock`: the clock and its speed.
//! - `GET /_sandbox`: the clock, its speed, and every variant with its instances.
//! - `POST /_sandbox/advance` `{"seconds": 3600}`: turns the clock forward.
//! - `PUT /_sandbox/endpoints/<name>/traffic` `{"steady": 900}`: sets the load, in the words of a world file.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::protocol::WireDoor;
use crate::http::{Request, Response};
use crate::sim::engine::World;
use crate::sim::sandbox::to_time;
use crate::sim::scenario::TrafficFile;

/// A turn of the clock is at most this long: a year.
const LONGEST_TURN: f64 = 366.0 * 86_400.0;

pub(super) fn respond(door: &WireDoor, request: &Request) -> Response {
    let result = match (&request.method, request.path.as_str()) {
        (&Method::GET, "/_sandbox") => Ok(state(door)),
        (&Method::GET, "/_sandbox/clock") => Ok(clock(door)),
        (&Method::POST, "/_sandbox/advance") => advance(door, &request.body),
        (&Method::PUT, path) => match traffic_path(path) {
            Some(endpoint) => set_traffic(door, endpoint, &request.body),
            None => Err((
                StatusCode::NOT_FOUND,
                "no such place under /_sandbox".to_owned(),
            )),
        },
        _ => Err((
            StatusCode::NOT_FOUND,
            "no such place under /_sandbox".to_owned(),
        )),
    };
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err((status, why)) => (status, json!({ "error": why })),
    };
    Response::new(status, "application/json", format!("{body}\n"))
}

type Answer = Result<Value, (StatusCode, String)>;

fn bad(why: impl Into<String>) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, why.into())
}

fn unreadable(error: &serde_json::Error) -> (StatusCode, String) {
    bad(format!("could not read the body: {error}"))
}

fn traffic_path(path: &str) -> Option<&str> {
    path.strip_prefix("/_sandbox/endpoints/")?
        .strip_suffix("/traffic")
}

fn clock(door: &WireDoor) -> Value {
    let speed = door.clock.as_ref().map_or(1.0, |clock| clock.speed());
    let now = door.sandbox.with(|world| to_time(world.now()));
    json!({ "now": now.to_rfc3339(), "speed": speed })
}

fn state(door: &WireDoor) -> Value {
    let mut state = clock(door);
    if let Some(fields) = state.as_object_mut() {
        fields.insert(
            "variants".to_owned(),
            door.sandbox.with(|world| variants(world)).into(),
        );
    }
    state
}

fn variants(world: &World) -> Vec<Value> {
    let all = world.variants();
    all.iter()
        .map(|(endpoint, variant)| {
            let (current, desired) = world.instances(endpoint, variant).unwrap_or_default();
            json!({ "endpoint": endpoint, "variant": variant, "current": current, "desired": desired })
        })
        .collect()
}

fn advance(door: &WireDoor, body: &[u8]) -> Answer {
    let clock = door
        .clock
        .as_ref()
        .ok_or_else(|| bad("this clock can not be turned"))?;
    let input: Value = serde_json::from_slice(body).map_err(|e| unreadable(&e))?;
    let seconds = input
        .get("seconds")
        .and_then(Value::as_f64)
        .filter(|s| (0.0..=LONGEST_TURN).contains(s))
        .ok_or_else(|| bad("give `seconds`, a number from 0 to a year"))?;
    clock.turn(Duration::from_secs_f64(seconds));
    Ok(state(door))
}

fn set_traffic(door: &WireDoor, endpoint: &str, body: &[u8]) -> Answer {
    let traffic: TrafficFile = serde_json::from_slice(body).map_err(|e| unreadable(&e))?;
    door.sandbox.with(|world| {
        let traffic = traffic.build(false, world.now()).map_err(bad)?;
        world
            .set_traffic(endpoint, traffic)
            .map_err(|error| (StatusCode::NOT_FOUND, error.message))?;
        Ok(json!({ "endpoint": endpoint }))
    })
}
