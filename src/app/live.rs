//! A line of progress at the bottom of a terminal that log lines do not tear.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// The line. Log lines are written above it.
#[derive(Debug, Clone, Default)]
pub(super) struct LiveLine {
    /// `None` when standard error is no terminal; then there is no line.
    line: Option<Arc<Mutex<String>>>,
}

/// Back to the start of the line, and clear it.
const CLEAR: &[u8] = b"\r\x1b[2K";

impl LiveLine {
    /// A line on a terminal, or none.
    pub(super) fn new(is_terminal: bool) -> Self {
        Self {
            line: is_terminal.then(Arc::default),
        }
    }

    /// Shows a text in place of the one before.
    pub(super) fn show(&self, text: &str) {
        let Some(line) = &self.line else { return };
        let mut held = line.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone_into(&mut held);
        draw(&held).unwrap_or_default();
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        let Some(line) = &self.line else { return };
        let mut held = line.lock().unwrap_or_else(PoisonError::into_inner);
        held.clear();
        io::stderr().lock().write_all(CLEAR).unwrap_or_default();
    }
}

fn draw(text: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(CLEAR)?;
    stderr.write_all(text.as_bytes())?;
    stderr.flush()
}

/// Writes one log line above the live line.
#[derive(Debug)]
pub(super) struct Above(LiveLine);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(line) = &self.0.line else {
            return io::stderr().lock().write(bytes);
        };
        let held = line.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut stderr = io::stderr().lock();
            stderr.write_all(CLEAR)?;
            stderr.write_all(bytes)?;
        }
        draw(&held)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

impl MakeWriter<'_> for LiveLine {
    type Writer = Above;

    fn make_writer(&self) -> Above {
        Above(self.clone())
    }
}
