//! The program as a process, as a user starts it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Whatever is waited for here comes within this, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The command, in an environment that knows nothing of the machine: no AWS profile, no instance metadata.
pub fn evenkeel(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a finished command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end.
pub fn said(args: &[&str]) -> Said {
    said_by(&mut evenkeel(args))
}

pub fn said_by(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command that goes on until told to stop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    pub fn start(args: &[&str]) -> Self {
        let mut child = evenkeel(args).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                send.send(line).unwrap_or_default();
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line of the log that holds `part`.
    pub fn line(&mut self, part: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("no line with `{part}`: {error}; seen:\n{}", self.log()),
            }
        }
    }

    /// Where the status page is, from the log.
    pub fn page(&mut self) -> String {
        let line = self.line("status page on http://");
        let url = line.split("http://").nth(1).unwrap();
        format!("http://{}", url.trim_end_matches('/'))
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        // The shell's own: not every machine has a program for it.
        let kill = format!("kill -s {name} {id}");
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end; the exit code and the rest of the standard output.
    pub fn end(&mut self) -> (ExitStatus, String) {
        let mut out = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut out).unwrap();
        }
        let status = self.child.wait().unwrap();
        self.seen.extend(self.lines.iter());
        (status, out)
    }

    pub fn log(&self) -> String {
        self.seen.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
