//! Servers on loopback for tests with real sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use evenkeel::http::{Handler, Limits, Request, Response, listen, serve, to_everyone};
use evenkeel::sim::wire::WireDoor;
use evenkeel::sim::{Sandbox, SandboxClock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A server that ends with the test.
pub struct Server {
    pub address: SocketAddr,
    stop: CancellationToken,
}

impl Server {
    pub async fn start(handler: Arc<dyn Handler>) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(
            listener,
            handler,
            Limits::default(),
            to_everyone(),
            stop.clone(),
        ));
        Self { address, stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn sandbox_server(sandbox: &Arc<Sandbox>, clock: Option<&Arc<SandboxClock>>) -> Server {
    Server::start(Arc::new(WireDoor::new(Arc::clone(sandbox), clock.cloned()))).await
}

/// What a scripted server answers to an operation; nothing means silence.
type Answer = dyn Fn(&str) -> Option<Response> + Send + Sync;

/// Answers every request alike, and counts them by operation.
pub struct Scripted {
    pub answer: Box<Answer>,
    pub seen: std::sync::Mutex<Vec<String>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

impl Scripted {
    pub fn new(answer: impl Fn(&str) -> Option<Response> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            seen: std::sync::Mutex::default(),
        })
    }
}

#[async_trait]
impl Handler for Scripted {
    async fn handle(&self, request: Request) -> Response {
        let operation = operation(&request);
        self.seen.lock().unwrap().push(operation.clone());
        match (self.answer)(&operation) {
            Some(response) => response,
            // No answer at all, as from a server that hangs.
            None => std::future::pending().await,
        }
    }
}

fn operation(request: &Request) -> String {
    let target = request.header("x-amz-target").unwrap_or_default();
    let last = || request.path.rsplit('/').next().unwrap_or_default();
    target
        .split_once('.')
        .map_or_else(last, |(_, operation)| operation)
        .to_owned()
}

/// A sandbox that never answers one operation.
#[derive(Debug)]
pub struct HangsOn {
    operation: &'static str,
    door: WireDoor,
    /// Told when the operation is asked for.
    pub reached: Notify,
}

impl HangsOn {
    pub fn new(operation: &'static str, door: WireDoor) -> Arc<Self> {
        Arc::new(Self {
            operation,
            door,
            reached: Notify::new(),
        })
    }
}

#[async_trait]
impl Handler for HangsOn {
    async fn handle(&self, request: Request) -> Response {
        if operation(&request) == self.operation {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        self.door.handle(request).await
    }
}
