//! Waiting by the clock. The only module of this crate that may.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Waits for `work`, but not beyond `due`: `None` if it has not come by then.
pub(crate) async fn until<T>(due: Instant, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(due.into(), work).await.ok()
}

/// Waits for `work`, but not longer than this: `None` if it has not come by then.
pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    until(Instant::now() + time, work).await
}

/// Lets so much time pass.
pub(crate) async fn pause(time: Duration) {
    within(time, std::future::pending::<()>()).await;
}

/// Wakes somebody who waits again and again, mostly up to the same time: it is set only when that changes, for to set it takes longer
/// than much that is waited for.
#[derive(Default)]
pub(crate) struct Alarm(Option<(Instant, Pin<Box<Sleep>>)>);

impl Alarm {
    /// As [`until`]; without a time for as long as it takes.
    #[expect(clippy::disallowed_methods, reason = "the module that waits by the clock")]
    pub(crate) async fn until<T>(
        &mut self,
        due: Option<Instant>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let Some(due) = due else { return Some(work.await) };
        let (set, sleep) =
            self.0.get_or_insert_with(|| (due, Box::pin(tokio::time::sleep_until(due.into()))));
        if *set != due {
            *set = due;
            sleep.as_mut().reset(due.into());
        }
        tokio::select! {
            biased;
            done = work => Some(done),
            () = sleep => None,
        }
    }
}
