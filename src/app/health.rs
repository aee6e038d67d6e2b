//! `health`: whether the daemon on this machine is alive, for containers without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::connect::load_config;
use super::console::Console;
use super::failure::{FAILED, Failure};
use crate::cli::{Common, Health};
use crate::http::{Answer, GetError, get_from_self};

const PATIENCE: Duration = Duration::from_secs(3);

/// What a daemon is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Life {
    /// Whether its loops tick.
    Alive,
    /// Whether it has seen AWS.
    Ready,
}

/// Asks the daemon's own page.
pub(super) async fn health(
    common: &Common,
    options: &Health,
    console: Console,
) -> Result<u8, Failure> {
    let (address, tls) = match options.listen {
        Some(address) => (address, options.tls),
        None => {
            let daemon = load_config(common)?.daemon;
            (daemon.listen, options.tls || daemon.tls.is_some())
        }
    };
    let life = if options.ready {
        Life::Ready
    } else {
        Life::Alive
    };
    let answer = ask(address, life, tls, PATIENCE).await.map_err(|error| {
        let hint = match &error {
            GetError::Http(_) if !tls => "; if it serves TLS, add --tls",
            GetError::Tls(_) => "; if it serves no TLS, leave --tls out",
            _ => "",
        };
        Failure::world(format!("{address}: {:#}{hint}", anyhow::Error::new(error)))
    })?;
    console.out(&String::from_utf8_lossy(&answer.body));
    Ok(if answer.status.is_success() {
        0
    } else {
        FAILED
    })
}

/// Asks whoever listens there.
pub(super) async fn ask(
    address: SocketAddr,
    life: Life,
    tls: bool,
    patience: Duration,
) -> Result<Answer, GetError> {
    let path = match life {
        Life::Alive => "/healthz",
        Life::Ready => "/readyz",
    };
    get_from_self(reachable(address), path, tls, patience).await
}

/// Who listens on every address is asked on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
