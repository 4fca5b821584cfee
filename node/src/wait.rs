//! Waiting by the clock. The only module of this crate that may.

use std::future::Future;
use std::time::{Duration, Instant};

/// Waits for `work`, but not beyond `due`: `None` if it has not come by then.
pub(crate) async fn until<T>(due: Instant, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(due.into(), work).await.ok()
}

/// Lets so much time pass.
pub(crate) async fn pause(time: Duration) {
    until(Instant::now() + time, std::future::pending::<()>()).await;
}
