//! The journal: one line of JSON per change made, for people. Nothing reads it back.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::error;

use crate::ports::{Clock, Event, EventSink};
use crate::view::journal_json;

/// The file in the state directory.
pub const JOURNAL: &str = "journal.jsonl";

/// A file that is larger than this is put aside.
const LARGEST: u64 = 10 * 1024 * 1024;
/// So many files are kept beside the one that is written: `journal.jsonl.1` is the youngest of them.
const KEPT: u32 = 5;

/// Writes the journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    largest: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    /// It can not be written: that is told once.
    failed: bool,
}

fn open(path: &Path) -> io::Result<Open> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let size = file.metadata()?.len();
    Ok(Open {
        file,
        size,
        failed: false,
    })
}

impl Journal {
    /// A journal in a state directory, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory can not be made, or the file can not be opened.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(JOURNAL);
        let open = Mutex::new(open(&path)?);
        Ok(Self {
            path,
            clock,
            largest: LARGEST,
            open,
        })
    }

    fn write(&self, line: &str) -> io::Result<()> {
        let mut held = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if held.size >= self.largest {
            self.put_aside()?;
            *held = open(&self.path)?;
        }
        // One write per line, so that a line is whole or not there.
        let line = format!("{line}\n");
        let written = held.file.write_all(line.as_bytes());
        held.size = held
            .size
            .saturating_add(u64::try_from(line.len()).unwrap_or(0));
        let is_news = written.is_err() && !held.failed;
        held.failed = written.is_err();
        if is_news { written } else { Ok(()) }
    }

    fn put_aside(&self) -> io::Result<()> {
        let aside = |n: u32| self.path.with_extension(format!("jsonl.{n}"));
        for n in (1..KEPT).rev() {
            if aside(n).exists() {
                std::fs::rename(aside(n), aside(n.saturating_add(1)))?;
            }
        }
        std::fs::rename(&self.path, aside(1))
    }
}

impl EventSink for Journal {
    fn emit(&self, event: &Event<'_>) {
        let now = self.clock.now();
        let line = match event {
            Event::Done {
                scope,
                target,
                action,
                ..
            } => journal_json(now, scope, target, action, None),
            Event::Failed {
                scope,
                target,
                action,
                error,
            } => journal_json(now, scope, target, action, Some(&error.to_string())),
            _ => return,
        };
        if let Err(problem) = self.write(&line.to_string()) {
            let path = self.path.display();
            error!("the journal {path} can not be written: {problem}");
        }
    }
}

/// Several listeners as one.
#[derive(Debug)]
pub struct Listeners(pub Vec<Arc<dyn EventSink>>);

impl EventSink for Listeners {
    fn emit(&self, event: &Event<'_>) {
        for listener in &self.0 {
            listener.emit(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Standing;

    #[async_trait::async_trait]
    impl Clock for Standing {
        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            chrono::DateTime::UNIX_EPOCH
        }

        async fn sleep(&self, _duration: std::time::Duration) {}
    }

    #[test]
    fn it_is_put_aside_when_it_is_large_and_goes_on_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let journal = || Journal {
            largest: 20,
            ..Journal::open(&dir.path().join("state"), Arc::new(Standing)).unwrap()
        };
        let first = journal();
        first.write("{\"n\": 1}").unwrap();
        drop(first);
        let second = journal();
        for n in 2..=30 {
            second.write(&format!("{{\"n\": {n}}}")).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join("state").join(name));
        assert_eq!(read(JOURNAL).unwrap(), "{\"n\": 30}\n");
        assert_eq!(
            read("journal.jsonl.1").unwrap(),
            "{\"n\": 28}\n{\"n\": 29}\n"
        );
        assert!(read("journal.jsonl.5").is_ok());
        assert!(read("journal.jsonl.6").is_err(), "the oldest go");
    }
}
