//! Standard output for data, standard error for everything else.

use std::io::{IsTerminal, Write};

use crate::view::Paint;

/// The terminal, or whatever stands in its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Console {
    /// Whether data may carry colour.
    pub(super) paint: Paint,
    /// Whether data goes to a terminal.
    stdout_is_terminal: bool,
    /// Whether messages go to a terminal.
    pub(super) stderr_is_terminal: bool,
    /// Whether someone can be asked.
    pub(super) can_ask: bool,
}

impl Console {
    /// Looks at the process's streams and at `NO_COLOR`.
    pub(super) fn new() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let stdout_is_terminal = std::io::stdout().is_terminal();
        let paint = if stdout_is_terminal && !no_colour {
            Paint::Colour
        } else {
            Paint::Plain
        };
        Self {
            paint,
            stdout_is_terminal,
            stderr_is_terminal: std::io::stderr().is_terminal(),
            can_ask: std::io::stdin().is_terminal() && stdout_is_terminal,
        }
    }

    /// Whether messages may carry colour.
    pub(super) fn colours_messages(self) -> bool {
        self.stderr_is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
    }

    /// Data. A reader that has gone away is no error.
    #[expect(clippy::unused_self, reason = "reads as what is written to")]
    pub(super) fn out(self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .unwrap_or_default();
    }

    /// What comes before a screen that takes the place of the one before; an empty line where there is none.
    pub(super) fn fresh_screen(self) -> &'static str {
        if self.stdout_is_terminal {
            "\x1b[H\x1b[2J"
        } else {
            "\n"
        }
    }

    /// A message.
    #[expect(clippy::unused_self, reason = "reads as what is written to")]
    pub(super) fn note(self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "{text}").unwrap_or_default();
    }

    /// Why a command failed.
    pub(super) fn error(self, text: &str) {
        self.note(&format!("evenkeel: {text}"));
    }

    /// Asks a question that is answered with yes or anything else.
    pub(super) fn ask(self, question: &str) -> bool {
        self.out(&format!("{question} [y/N] "));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok()
            && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}
