//! Logs to standard error.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text {
        /// With ANSI colours.
        colour: bool,
    },
    /// One JSON object per line.
    Json,
    /// For journald: a priority, and neither time nor colour, which it has itself.
    Journal,
}

/// Whether standard error is journald's: it says so by device and inode (systemd.exec(5), `JOURNAL_STREAM`).
#[must_use]
pub fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(owned) = io::stderr().as_fd().try_clone_to_owned() else {
        return false;
    };
    let metadata = File::from(owned).metadata();
    metadata.is_ok_and(|m| stream == format!("{}:{}", m.dev(), m.ino()))
}

/// Time, level and message. Our messages read alone and repeat their key names; spans and fields are for the JSON
/// form, where programs search them. Other crates' lines are told apart by their name.
#[derive(Debug, Clone, Copy)]
struct Sentences {
    for_journal: bool,
}

impl<S, N> FormatEvent<S, N> for Sentences
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let level = *metadata.level();
        if self.for_journal {
            write!(writer, "<{}>", priority(level))?;
        } else {
            SystemTime.format_time(&mut writer)?;
            match (writer.has_ansi_escapes(), level) {
                (true, Level::ERROR) => write!(writer, " \x1b[31m{level:>5}\x1b[0m ")?,
                (true, Level::WARN) => write!(writer, " \x1b[33m{level:>5}\x1b[0m ")?,
                _ => write!(writer, " {level:>5} ")?,
            }
        }
        if metadata.target().starts_with("evenkeel") {
            event.record(&mut |field: &Field, value: &dyn fmt::Debug| {
                if field.name() == "message" {
                    // A log line that can not be written can not be reported either.
                    write!(writer, "{value:?}").unwrap_or_default();
                }
            });
        } else {
            write!(writer, "{}: ", metadata.target())?;
            context.format_fields(writer.by_ref(), event)?;
        }
        writeln!(writer)
    }
}

/// The level in syslog's numbers (sd-daemon(3)).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Starts logging. `verbosity` is how often `-v` was given; the variable `EVENKEEL_LOG` overrides it, in the form
/// `evenkeel=debug,aws_config=info`.
///
/// # Errors
/// A sentence when `EVENKEEL_LOG` can not be read, or logging was started before.
pub fn init_logs<W>(format: LogFormat, verbosity: u8, writer: W) -> Result<(), String>
where
    W: for<'a> MakeWriter<'a, Writer: io::Write> + Send + Sync + 'static,
{
    let filter = match std::env::var("EVENKEEL_LOG") {
        Ok(text) => Targets::from_str(&text).map_err(|e| format!("EVENKEEL_LOG: {e}"))?,
        Err(_) => Targets::new()
            .with_default(match verbosity {
                0 => Level::ERROR,
                1 | 2 => Level::WARN,
                _ => Level::DEBUG,
            })
            .with_target(
                "evenkeel",
                match verbosity {
                    0 => Level::INFO,
                    1 => Level::DEBUG,
                    _ => Level::TRACE,
                },
            ),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text { colour } => registry
            .with(
                layer
                    .with_ansi(colour)
                    .event_format(Sentences { for_journal: false }),
            )
            .try_init(),
        LogFormat::Journal => registry
            .with(
                layer
                    .with_ansi(false)
                    .event_format(Sentences { for_journal: true }),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_target(false))
            .try_init(),
    }
    .map_err(|error| error.to_string())
}
