//! Clients that are greedy, slow or strangers. Real sockets and real time, with limits of a few moments.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use evenkeel::http::{Access, Handler, Limits, Request, Response, Token, listen, serve};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whatever is waited for here comes within this, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

const SHORT: Limits = Limits {
    connections: 2,
    header_time: Duration::from_millis(300),
    header_bytes: 8 * 1024,
    body_time: Duration::from_millis(300),
    body_bytes: 1000,
    connection_time: Duration::from_millis(900),
};

/// Says hello; to `/much` at length.
#[derive(Debug)]
struct Hello;

#[async_trait]
impl Handler for Hello {
    async fn handle(&self, request: Request) -> Response {
        if request.path == "/much" {
            return Response::text(StatusCode::OK, vec![b'x'; 64 * 1024 * 1024]);
        }
        Response::text(StatusCode::OK, "hello\n")
    }

    fn is_open(&self, path: &str) -> bool {
        path == "/open"
    }
}

struct Served {
    address: std::net::SocketAddr,
    access: watch::Sender<Arc<Access>>,
    stop: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Served {
    async fn with(limits: Limits) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (access, seen) = watch::channel(Arc::default());
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, Arc::new(Hello), limits, seen, stop.clone()));
        Self {
            address,
            access,
            stop,
        }
    }

    /// Sends bytes, and reads what comes until the server ends the connection.
    async fn send(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        read(&mut stream).await
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A reset is an end too.
    drop(tokio::time::timeout(PATIENCE, read).await.unwrap());
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, header: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_and_a_body_have_an_end() {
    let served = Served::with(SHORT).await;
    assert!(served.send(&get("/", "")).await.starts_with("HTTP/1.1 200"));
    let long = format!("x-long: {}\r\n", "x".repeat(10_000));
    let answer = served.send(&get("/", &long)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let path = format!("/{}", "x".repeat(10_000));
    let answer = served.send(&get(&path, "")).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let body = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2000\r\n\r\n{}",
        "x".repeat(2000)
    );
    let answer = served.send(&body).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_is_let_go() {
    let served = Served::with(SHORT).await;
    // A header that never ends, a body that never comes, a connection on which nothing is asked.
    assert!(!served.send("GET / HTTP/1.1\r\nhost:").await.contains("200"));
    let answer = served
        .send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(served.send("").await, "");
    // One that asks, and asks again, for ever.
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let began = Instant::now();
    let mut buffer = [0; 1024];
    loop {
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        if asked.is_err() || matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the connection never ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= SHORT.connection_time);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_takes_an_answer_holds_no_place_for_ever() {
    let served = Served::with(SHORT).await;
    let mut greedy = Vec::new();
    for _ in 0..SHORT.connections {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(get("/much", "").as_bytes()).await.unwrap();
        greedy.push(stream);
    }
    // All places are taken; the next one waits until these are let go, and then is answered.
    let began = Instant::now();
    let answer = served.send(&get("/", "")).await;
    assert!(answer.ends_with("hello\n"), "{answer}");
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "nobody waited"
    );
    drop(greedy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_and_can_change_while_the_server_runs() {
    let served = Served::with(Limits::default()).await;
    let code = |answer: String| answer.split(' ').nth(1).unwrap().to_owned();
    let with = |token: &str| get("/", &format!("authorization: Bearer {token}\r\n"));
    let set = |token: &str| {
        let token = Some(Token::new(token).unwrap());
        served
            .access
            .send_replace(Arc::new(Access { tls: None, token }));
    };
    assert_eq!(code(served.send(&get("/", "")).await), "200");
    set("first-0123456789abcdef");
    let refused = served.send(&get("/", "")).await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.contains("www-authenticate: "), "{refused}");
    assert_eq!(code(served.send(&get("/open", "")).await), "200");
    assert_eq!(
        code(served.send(&with("first-0123456789abcdef")).await),
        "200"
    );
    set("second-0123456789abcdef");
    assert_eq!(
        code(served.send(&with("first-0123456789abcdef")).await),
        "401"
    );
    assert_eq!(
        code(served.send(&with("second-0123456789abcdef")).await),
        "200"
    );
}
