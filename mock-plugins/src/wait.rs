//! The only clock of the crate: replies that wait.

use std::time::Duration;
use tokio::time::Instant;

/// When something that is to wait for `delay` from now is due.
pub(crate) fn due(delay: Duration) -> Instant {
    Instant::now() + delay
}

/// Returns at `due`; never, if there is nothing to wait for.
#[expect(clippy::disallowed_methods, reason = "the module that waits by the clock")]
pub(crate) async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Waits for `future`, but not longer than `limit`.
pub(crate) async fn at_most<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}
