//! Waiting by the clock. The only module of this crate that may.

use std::future::Future;
use std::time::Duration;

/// Waits for `work`, but not longer than `limit`.
pub(crate) async fn at_most(limit: Duration, work: impl Future<Output = ()>) {
    // Either way the caller goes on; what is unfinished is dropped.
    drop(tokio::time::timeout(limit, work).await);
}
