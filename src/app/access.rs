//! Certificate and token of the daemon's pages: read at the start, on a reload, and whenever their files change.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::settings::secret;
use crate::config::{Daemon, Problem, Problems, SecretSource, TlsFiles};
use crate::http::{Access, TlsError, Token, server_tls};

/// Files are looked at so often: who renews a certificate need not tell.
const LOOKS: Duration = Duration::from_secs(10);

/// What the files held when they were last read.
#[derive(Debug, PartialEq, Eq, Default)]
struct Held {
    certificates: Vec<u8>,
    key: Vec<u8>,
    token: Option<Token>,
}

/// What the server asks of clients, and where that comes from.
#[derive(Debug)]
pub(super) struct Door {
    source: Mutex<(Daemon, Held)>,
    access: watch::Sender<Arc<Access>>,
}

/// Access that was read, and not yet put to use.
pub(super) struct Fresh {
    source: (Daemon, Held),
    access: Access,
}

impl Door {
    /// Reads what the config names.
    ///
    /// # Errors
    /// Each file or variable that does not hold what it should.
    pub(super) fn new(daemon: &Daemon) -> Result<Self, Problems> {
        let fresh = read(daemon)?;
        Ok(Self {
            source: Mutex::new(fresh.source),
            access: watch::channel(Arc::new(fresh.access)).0,
        })
    }

    /// What the server goes by.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Access>> {
        self.access.subscribe()
    }

    /// Puts to use what was read.
    pub(super) fn replace(&self, fresh: Fresh) {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        *source = fresh.source;
        self.access.send_replace(Arc::new(fresh.access));
    }

    /// Reads the files again and again. What can not be read changes nothing: the old certificate goes on.
    pub(super) async fn follow(&self, stop: CancellationToken) {
        let mut told = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOKS) => {}
            }
            match self.look_again() {
                Ok(false) => {
                    if told.take().is_some() {
                        info!("certificate and token can be read again");
                    }
                }
                Ok(true) => {
                    told = None;
                    info!("certificate or token changed on disk: the new one is in use");
                }
                Err(problems) => {
                    let problem = problems.to_string();
                    if told.as_ref() != Some(&problem) {
                        warn!(
                            "certificate or token could not be read again, the old one goes on: {problem}"
                        );
                    }
                    told = Some(problem);
                }
            }
        }
    }

    /// Whether anything changed.
    fn look_again(&self) -> Result<bool, Problems> {
        let daemon = {
            let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            source.0.clone()
        };
        let fresh = read(&daemon)?;
        let same = {
            let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            source.1 == fresh.source.1
        };
        if !same {
            self.replace(fresh);
        }
        Ok(!same)
    }
}

/// Reads what the config names.
///
/// # Errors
/// Each file or variable that does not hold what it should.
pub(super) fn read(daemon: &Daemon) -> Result<Fresh, Problems> {
    let mut problems = Vec::new();
    let mut held = Held::default();
    let mut access = Access::default();
    if let Some(files) = &daemon.tls {
        let certificates = read_file(&files.cert_file, "cert_file", &mut problems);
        let key = read_file(&files.key_file, "key_file", &mut problems);
        if let (Some(certificates), Some(key)) = (certificates, key) {
            match server_tls(&certificates, &key) {
                Ok(tls) => access.tls = Some(tls),
                Err(error) => problems.push(unusable(files, &error)),
            }
            held.certificates = certificates;
            held.key = key;
        }
    }
    if let Some(source) = &daemon.token {
        match token(source) {
            Ok(token) => {
                access.token = Some(token.clone());
                held.token = Some(token);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(Fresh {
            source: (daemon.clone(), held),
            access,
        })
    } else {
        Err(Problems(problems))
    }
}

fn read_file(path: &Path, key: &str, problems: &mut Vec<Problem>) -> Option<Vec<u8>> {
    match std::fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            problems.push(Problem {
                source: path.display().to_string(),
                path: format!("daemon.http.tls.{key}"),
                what: error.to_string(),
                remedy: "put the file there, as PEM, readable for evenkeel".to_owned(),
            });
            None
        }
    }
}

fn unusable(files: &TlsFiles, error: &TlsError) -> Problem {
    let (path, key, remedy) = match error {
        TlsError::Certificates(_) => (
            &files.cert_file,
            "cert_file",
            "it begins with `-----BEGIN CERTIFICATE-----`",
        ),
        TlsError::Key(_) => (
            &files.key_file,
            "key_file",
            "it begins with `-----BEGIN PRIVATE KEY-----`",
        ),
        TlsError::Pair(_) => (
            &files.key_file,
            "key_file",
            "name the key that the first certificate of `cert_file` was made for",
        ),
    };
    Problem {
        source: path.display().to_string(),
        path: format!("daemon.http.tls.{key}"),
        what: error.to_string(),
        remedy: remedy.to_owned(),
    }
}

fn token(source: &SecretSource) -> Result<Token, Problem> {
    let problem = |(place, what)| Problem {
        source: place,
        path: "daemon.http: token".to_owned(),
        what,
        remedy: "put a long random token there, for example from `openssl rand -hex 32`".to_owned(),
    };
    let place = match source {
        SecretSource::Env(name) => format!("variable {name}"),
        SecretSource::File(path) => path.display().to_string(),
    };
    let secret = secret(source).map_err(problem)?;
    Token::new(secret.reveal()).map_err(|what| problem((place, what)))
}
