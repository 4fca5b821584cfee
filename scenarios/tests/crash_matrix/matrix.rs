//! All crashes of one node during something that is done again and again, and what became of each.

use std::fmt;

use leyden::{Commit, Crash, CrashPoint, Result};

pub(crate) type Phase = fn(Commit) -> CrashPoint;

/// What became of a crash that was armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Crashed,
    /// Everything was done before it came to that.
    Unhurt,
}

/// How much was tried.
#[derive(Default)]
pub(crate) struct Tried {
    pub(crate) commits: usize,
    crashes: usize,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commits, {} crashes", self.commits, self.crashes)
    }
}

/// Crashes at the first commit, at the second, and so on, until everything is done without a crash; on each of these sides of a commit.
pub(crate) async fn at_each_commit(
    phases: &[Phase],
    mut cell: impl AsyncFnMut(CrashPoint) -> Result<Way>,
) -> Tried {
    let mut tried = Tried::default();
    for phase in phases {
        for nth in 1.. {
            let point = phase(Commit::nth(nth));
            let way = cell(point.clone()).await.unwrap_or_else(|error| panic!("a crash {point}: {error}"));
            if way == Way::Unhurt {
                break;
            }
            tried.commits = tried.commits.max(nth);
            tried.crashes += 1;
        }
    }
    tried
}

/// Waits until something is done, or until the crash.
pub(crate) async fn until(crash: Crash, done: impl Future<Output = Result>) -> Result<Way> {
    let done = tokio::select! {
        crashed = crash.happened() => return crashed.map(|_| Way::Crashed),
        done = done => done,
    };
    match crash.disarm() {
        None => done.map(|()| Way::Unhurt),
        // It fails because of the crash, or the crash came with the very last commit.
        Some(crash) => crash.happened().await.map(|_| Way::Crashed),
    }
}
