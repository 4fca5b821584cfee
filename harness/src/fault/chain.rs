//! Faults of the Bitcoin backend on demand.

use std::sync::atomic::{AtomicUsize, Ordering};

use leyden_mock_plugins::{Call, Reply};
use tokio::sync::watch;

use super::Faulted;
use crate::net::Net;
use crate::wait::Deadline;

impl Net {
    /// Lets calls of a method fail: with a [`MockChain`](crate::MockChain), one of the five of a Bitcoin backend; with bitcoind, one of its RPCs, such as
    /// `getblock`. A fork is made by the chain itself: `net.bitcoind().simple_reorg(..)`, `net.mock_chain().simple_reorg(..)`.
    ///
    /// ```no_run
    /// # async fn test(net: leyden::Net) -> leyden::Result {
    /// let refused = net.chain_fault("sendrawtransaction").next(2).error(-26, "not this one");
    /// refused.happened().await?;
    /// # Ok(()) }
    /// ```
    pub fn chain_fault(&self, method: &str) -> ChainFault<'_> {
        ChainFault { net: self, method: method.to_owned(), calls: 1 }
    }
}

/// A method that is to fail; made by [`Net::chain_fault`].
#[must_use = "say how it fails"]
pub struct ChainFault<'a> {
    net: &'a Net,
    method: String,
    calls: usize,
}

impl ChainFault<'_> {
    /// So many calls fail, of all nodes together: the next one without this.
    ///
    /// # Panics
    /// If it is 0.
    pub fn next(mut self, calls: usize) -> Self {
        assert!(calls > 0, "at least one call fails");
        self.calls = calls;
        self
    }

    /// They fail with this error; all of them [have happened](Faulted::happened) when the last one has. Of a Bitcoin backend lightningd takes no error: it
    /// ends. Its own, behind which bitcoind is, says to it in other words what bitcoind says.
    ///
    /// # Panics
    /// If nodes ask bitcoind itself: the net must be built with [`feerates`](crate::NetBuilder::feerates) or a [`chain`](crate::NetBuilder::chain). If a
    /// chain has no such method.
    #[track_caller]
    pub fn error(self, code: i64, message: &str) -> Faulted {
        let Self { net, method, calls } = self;
        let (seen, faulted) = watch::channel(None);
        let left = AtomicUsize::new(calls);
        let strikes = move |params: &str| {
            let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if before == Ok(1) {
                seen.send_replace(Some(params.to_owned()));
            }
            before.is_ok()
        };
        let doing = format!("waiting until {calls} calls of {method} have failed");
        match net.chain_in_memory() {
            Some(chain) => {
                let strikes = move |call: &Call| strikes(call.text());
                chain.on(&method, strikes, Reply::error(code, message));
            }
            None => net.proxy().fail(&method, code, message, strikes),
        }
        Faulted { doing, faulted, deadline: Deadline::standard(&net.surroundings.settings) }
    }
}
