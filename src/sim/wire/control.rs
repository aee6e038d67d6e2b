//! `/_sandbox`: what AWS has no API for.
//!
//! - `GET /_sandbox/clock`: the clock and its speed.
//! - `GET /_sandbox`: the clock, its speed, every variant with its capacity, every component with its copies.
//! - `POST /_sandbox/advance` `{"seconds": 3600}`: turns the clock forward.
//! - `PUT /_sandbox/endpoints/<name>/traffic` `{"steady": 900}`: sets the load, in the words of a world file.
//! - `PUT /_sandbox/components/<name>/traffic`: the same for a component.
//! - `PUT /_sandbox/quotas/<instance type>` `{"limit": 4}`: the account's quota; null lifts it.
//! - `PUT /_sandbox/shortages/<instance type>` `{"short": true}`: AWS has no instances of the type.
//! - `POST /_sandbox/endpoints/<name>/system-update` `{"seconds": 900}`: maintenance.
//! - `POST /_sandbox/faults` `{"operation": "PutScalingPolicy", "code": "ThrottlingException", "times": 3}`: the next
//!   calls get this error.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::protocol::WireDoor;
use crate::http::{Request, Response};
use crate::sim::engine::{ApiError, Fault, Hosting, Span, World};
use crate::sim::sandbox::to_time;
use crate::sim::scenario::TrafficFile;

/// A turn of the clock is at most this long: a year.
const LONGEST_TURN: f64 = 366.0 * 86_400.0;

pub(super) fn respond(door: &WireDoor, request: &Request) -> Response {
    let place = request.path.strip_prefix("/_sandbox").unwrap_or_default();
    let parts: Vec<&str> = place.split('/').skip(1).collect();
    let (put, post) = (
        request.method == Method::PUT,
        request.method == Method::POST,
    );
    let body = &request.body;
    let result = match parts.as_slice() {
        [] if request.method == Method::GET && place.is_empty() => Ok(state(door)),
        ["clock"] if request.method == Method::GET => Ok(clock(door)),
        ["advance"] if post => advance(door, body),
        ["faults"] if post => add_fault(door, body),
        ["endpoints", name, "system-update"] if post => system_update(door, name, body),
        ["endpoints", name, "traffic"] if put => set_traffic(door, name, body),
        ["components", name, "traffic"] if put => set_component_traffic(door, name, body),
        ["quotas", instance_type] if put => set_quota(door, instance_type, body),
        ["shortages", instance_type] if put => set_shortage(door, instance_type, body),
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

fn clock(door: &WireDoor) -> Value {
    let speed = door.clock.as_ref().map_or(1.0, |clock| clock.speed());
    let now = door.sandbox.with(|world| to_time(world.now()));
    json!({ "now": now.to_rfc3339(), "speed": speed })
}

fn state(door: &WireDoor) -> Value {
    let mut state = clock(door);
    let (variants, components) = door
        .sandbox
        .with(|world| (variants(world), components(world)));
    if let Some(fields) = state.as_object_mut() {
        fields.insert("variants".to_owned(), variants.into());
        fields.insert("components".to_owned(), components.into());
    }
    state
}

/// Every variant with its capacity. `of` says what is counted.
fn variants(world: &World) -> Vec<Value> {
    let all = world.variants();
    all.iter()
        .map(|(endpoint, variant)| {
            let (current, desired) = world.instances(endpoint, variant).unwrap_or_default();
            let of = match world.hosting(endpoint, variant) {
                Some(Hosting::Serverless(_)) => "provisioned concurrency",
                Some(Hosting::Instances | Hosting::Components { .. }) | None => "instances",
            };
            let mut shape = json!({
                "endpoint": endpoint, "variant": variant, "of": of, "current": current, "desired": desired,
            });
            if let (Some(shape), Some(backlog)) = (shape.as_object_mut(), world.backlog(endpoint)) {
                shape.insert("backlog".to_owned(), backlog.into());
            }
            shape
        })
        .collect()
}

fn components(world: &World) -> Vec<Value> {
    let all = world.components();
    all.iter()
        .map(|name| {
            let (current, desired) = world.copies(name).unwrap_or_default();
            json!({ "component": name, "current": current, "desired": desired })
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

fn read(body: &[u8]) -> Result<Value, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|e| unreadable(&e))
}

fn not_found(error: ApiError) -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, error.message)
}

fn set_traffic(door: &WireDoor, endpoint: &str, body: &[u8]) -> Answer {
    let traffic: TrafficFile = serde_json::from_slice(body).map_err(|e| unreadable(&e))?;
    door.sandbox.with(|world| {
        let traffic = traffic.build(false, world.now()).map_err(bad)?;
        world.set_traffic(endpoint, traffic).map_err(not_found)?;
        Ok(json!({ "endpoint": endpoint }))
    })
}

fn set_component_traffic(door: &WireDoor, component: &str, body: &[u8]) -> Answer {
    let traffic: TrafficFile = serde_json::from_slice(body).map_err(|e| unreadable(&e))?;
    door.sandbox.with(|world| {
        let traffic = traffic.build(false, world.now()).map_err(bad)?;
        world
            .set_component_traffic(component, traffic)
            .map_err(not_found)?;
        Ok(json!({ "component": component }))
    })
}

fn set_quota(door: &WireDoor, instance_type: &str, body: &[u8]) -> Answer {
    let wrong = || bad("give `limit`, a whole number of instances, or null for none");
    let limit = match read(body)?.get("limit") {
        Some(Value::Null) => None,
        Some(n) => {
            let n = n.as_u64().and_then(|n| u32::try_from(n).ok());
            Some(n.ok_or_else(wrong)?)
        }
        None => return Err(wrong()),
    };
    door.sandbox
        .with(|world| world.set_quota(instance_type, limit));
    Ok(json!({ "instance_type": instance_type, "limit": limit }))
}

fn set_shortage(door: &WireDoor, instance_type: &str, body: &[u8]) -> Answer {
    let short = read(body)?
        .get("short")
        .and_then(Value::as_bool)
        .ok_or_else(|| bad("give `short`, true or false"))?;
    door.sandbox
        .with(|world| world.set_shortage(instance_type, short));
    Ok(json!({ "instance_type": instance_type, "short": short }))
}

fn system_update(door: &WireDoor, endpoint: &str, body: &[u8]) -> Answer {
    let seconds = read(body)?
        .get("seconds")
        .and_then(Value::as_i64)
        .filter(|s| (1..=7 * 86_400).contains(s))
        .ok_or_else(|| bad("give `seconds`, a whole number from 1 to a week"))?;
    door.sandbox
        .with(|world| world.system_update(endpoint, Span::from_secs(seconds)))
        .map_err(|error| bad(error.message))?;
    Ok(json!({ "endpoint": endpoint, "seconds": seconds }))
}

fn add_fault(door: &WireDoor, body: &[u8]) -> Answer {
    let input = read(body)?;
    let text = |member: &str| input.get(member).and_then(Value::as_str).map(str::to_owned);
    let times = input
        .get("times")
        .map_or(Some(1), |n| n.as_u64().and_then(|n| u32::try_from(n).ok()));
    let (Some(operation), Some(code), Some(times)) = (text("operation"), text("code"), times)
    else {
        return Err(bad(
            "give `operation` and `code`, and `times`, a whole number, unless it is 1",
        ));
    };
    let answer = json!({ "operation": operation, "code": code, "times": times });
    let fault = Fault {
        operation,
        code,
        times,
    };
    door.sandbox
        .with(|world| world.add_fault(fault))
        .map_err(|error| bad(error.message))?;
    Ok(answer)
}
