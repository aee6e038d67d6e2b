//! One supervisor for all tasks. A task that ends uninvited takes the process with it, loudly.

use std::future::Future;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Why the process can not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A task ended although nobody told it to.
    #[error("task `{task}` ended uninvited: {why}")]
    Ended {
        /// Its name.
        task: String,
        /// How it ended.
        why: String,
    },
    /// Tasks did not end in time after they were told to.
    #[error("tasks still ran {0:?} after they were told to stop, and were dropped")]
    Late(Duration),
}

/// How a task ended: on its own terms, or with an error.
type TaskEnd = (String, Result<(), String>);

/// Runs tasks until they are told to stop.
#[derive(Debug)]
pub struct Supervisor {
    tasks: JoinSet<TaskEnd>,
    names: std::collections::HashMap<tokio::task::Id, String>,
    root: CancellationToken,
    grace: Duration,
}

impl Supervisor {
    /// A supervisor whose tasks have `grace` to end after `root` is cancelled.
    #[must_use]
    pub fn new(root: CancellationToken, grace: Duration) -> Self {
        Self {
            tasks: JoinSet::new(),
            names: std::collections::HashMap::new(),
            root,
            grace,
        }
    }

    /// The token that stops everything.
    #[must_use]
    pub fn root(&self) -> &CancellationToken {
        &self.root
    }

    /// Runs a task under a name.
    pub fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        let name = name.into();
        let named = name.clone();
        let handle = self.tasks.spawn(async move { (named, task.await) });
        self.names.insert(handle.id(), name);
    }

    /// Waits until the root is cancelled and all tasks have ended.
    ///
    /// # Errors
    /// The first [`Fault`]: a task that ended uninvited, or tasks that did not end in time.
    pub async fn run(mut self) -> Result<(), Fault> {
        let fault = tokio::select! {
            biased;
            () = self.root.cancelled() => None,
            ended = self.tasks.join_next_with_id() => ended.map(|ended| self.uninvited(ended)),
        };
        self.root.cancel();
        let drained = tokio::time::timeout(self.grace, async {
            let mut fault = None;
            while let Some(ended) = self.tasks.join_next_with_id().await {
                // After the stop, ending is what they should do; a panic is a fault even so.
                if ended.is_err() && fault.is_none() {
                    fault = Some(self.uninvited(ended));
                }
            }
            fault
        })
        .await;
        match (fault, drained) {
            (Some(fault), _) | (None, Ok(Some(fault))) => Err(fault),
            (None, Ok(None)) => Ok(()),
            (None, Err(_)) => Err(Fault::Late(self.grace)),
        }
    }

    fn uninvited(&self, ended: Result<(tokio::task::Id, TaskEnd), JoinError>) -> Fault {
        match ended {
            Ok((_, (task, Ok(())))) => Fault::Ended {
                task,
                why: "it returned".to_owned(),
            },
            Ok((_, (task, Err(why)))) => Fault::Ended { task, why },
            Err(error) => {
                let task = self.names.get(&error.id()).cloned().unwrap_or_default();
                let why = if error.is_panic() {
                    "it panicked"
                } else {
                    "it was aborted"
                };
                Fault::Ended {
                    task,
                    why: why.to_owned(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervisor() -> Supervisor {
        Supervisor::new(CancellationToken::new(), Duration::from_millis(200))
    }

    #[tokio::test]
    async fn a_task_that_panics_stops_the_others_and_is_named() {
        let mut supervisor = supervisor();
        let stop = supervisor.root().child_token();
        supervisor.spawn("good", async move {
            stop.cancelled().await;
            Ok(())
        });
        supervisor.spawn("bad", async { panic!("on purpose") });
        let fault = supervisor.run().await.unwrap_err();
        assert_eq!(
            fault,
            Fault::Ended {
                task: "bad".to_owned(),
                why: "it panicked".to_owned()
            }
        );
    }

    #[tokio::test]
    async fn a_task_that_returns_uninvited_is_a_fault() {
        let mut supervisor = supervisor();
        supervisor.spawn("short", async { Err("port in use".to_owned()) });
        let fault = supervisor.run().await.unwrap_err();
        assert_eq!(
            fault.to_string(),
            "task `short` ended uninvited: port in use"
        );
    }

    #[tokio::test]
    async fn a_stop_waits_for_everyone_but_not_for_ever() {
        let mut supervisor = supervisor();
        let root = supervisor.root().clone();
        supervisor.spawn("deaf", std::future::pending());
        root.cancel();
        assert_eq!(
            supervisor.run().await,
            Err(Fault::Late(Duration::from_millis(200)))
        );
    }
}
