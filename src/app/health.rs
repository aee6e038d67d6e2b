//! `health`: whether the daemon on this machine is alive, for containers without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::connect::load_config;
use super::console::Console;
use super::failure::{FAILED, Failure};
use crate::cli::{Common, Health};
use crate::http::get;

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the daemon's own page.
pub(super) async fn health(
    common: &Common,
    options: &Health,
    console: Console,
) -> Result<u8, Failure> {
    let address = match options.listen {
        Some(address) => address,
        None => load_config(common)?.daemon.listen,
    };
    let path = if options.ready { "readyz" } else { "healthz" };
    let url = format!("http://{}/{path}", reachable(address));
    match get(&url, PATIENCE).await {
        Ok((status, body)) if status.is_success() => {
            console.out(&String::from_utf8_lossy(&body));
            Ok(0)
        }
        Ok((_, body)) => {
            console.out(&String::from_utf8_lossy(&body));
            Ok(FAILED)
        }
        Err(error) => Err(Failure::world(format!(
            "{url}: {:#}",
            anyhow::Error::new(error)
        ))),
    }
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
