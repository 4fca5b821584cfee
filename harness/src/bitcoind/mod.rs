//! bitcoind on regtest: found or fetched, started without a wallet, mined, paid from and reorganised.
//!
//! * `exe`, `cache`, `official`, `debian`: where the program comes from.
//! * `start`: the crate `bitcoind` as runner.
//! * `rpc`: any RPC, with typed errors. * `proxy`: RPCs that a test answers in bitcoind's place.
//! * `mine`: blocks and reorganisations. * `funds`: payments from the coinbases that were mined.
//!
//! The verbs bear the names that pyln-testing gave them.

mod cache;
mod debian;
mod exe;
mod funds;
mod mine;
mod official;
pub(crate) mod proxy;
mod rpc;
mod start;

use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use serde_json::Value;

use crate::env::Settings;
use crate::error::Result;
use crate::wait::Deadline;

pub use exe::{Programs, find};
pub use mine::{GenerateBlock, MempoolWait};

/// As pyln-testing: at this height the first two coinbases may be spent (consensus: in the hundredth block after their own).
const BLOCKS_TO_MATURITY: u32 = 101;

/// A running bitcoind on regtest. Dropped, it is killed.
///
/// Its files are in `bitcoind/` of the run directory; the log is `bitcoind/regtest/debug.log`.
#[derive(Debug)]
pub struct Bitcoind {
    rpc: rpc::Client,
    wallet: funds::Wallet,
    programs: Programs,
    timeout: std::time::Duration,
    /// Wakes everybody who waits for blocks that were mined here: nets may share a bitcoind.
    mined: tokio::sync::watch::Sender<()>,
    // Dropped last: the others talk to it.
    runner: start::Runner,
}

impl Bitcoind {
    /// Starts one in `dir` and mines 101 blocks, so that a coinbase can be spent.
    ///
    /// The program is found, or fetched, by [`find`]. `watchdog` ends it should the test process be killed.
    ///
    /// # Errors
    /// If no bitcoind can be had, or if it does not start; the last lines of its log are then in the error.
    pub async fn start(
        settings: &Settings,
        dir: &Path,
        watchdog: &std::sync::Arc<crate::process::Watchdog>,
    ) -> Result<Self> {
        let bitcoind = Self::start_without_blocks(settings, dir, watchdog).await?;
        bitcoind.generate_block(BLOCKS_TO_MATURITY).await?;
        Ok(bitcoind)
    }

    /// Starts one that has only the genesis block.
    ///
    /// # Errors
    /// As [`Bitcoind::start`].
    pub async fn start_without_blocks(
        settings: &Settings,
        dir: &Path,
        watchdog: &std::sync::Arc<crate::process::Watchdog>,
    ) -> Result<Self> {
        let programs = find(settings).await?;
        let (runner, rpc) = start::Runner::start(&programs.bitcoind, dir, watchdog).await?;
        Ok(Self {
            rpc,
            wallet: funds::Wallet::new(),
            programs,
            timeout: settings.timeout,
            mined: tokio::sync::watch::Sender::new(()),
            runner,
        })
    }

    /// Calls any RPC; `params` is an array, an object for named parameters, or null for none.
    ///
    /// # Errors
    /// bitcoind's own error, with its code ([`Error::code`](crate::Error::code)); or a [fatal](crate::Error::fatal) one if bitcoind is gone.
    #[track_caller]
    pub fn rpc(&self, method: &str, params: Value) -> impl Future<Output = Result<Value>> + Send + use<'_> {
        let at = std::panic::Location::caller();
        let call = self.rpc.call(method.to_owned(), params);
        async move {
            call.await.map_err(|error| match self.runner.death() {
                // A connection that fails because bitcoind died is only a symptom.
                Some(death) if error.code() == 0 => death.because(error).at(at),
                _ => error.at(at),
            })
        }
    }

    /// The height of the best chain.
    ///
    /// # Errors
    /// If bitcoind does not answer.
    #[track_caller]
    pub fn block_count(&self) -> impl Future<Output = Result<u32>> + Send + use<'_> {
        let call = self.rpc("getblockcount", Value::Null);
        async move { Ok(serde_json::from_value(call.await?)?) }
    }

    /// The hash of the best block.
    ///
    /// # Errors
    /// If bitcoind does not answer.
    #[track_caller]
    pub fn best_block_hash(&self) -> impl Future<Output = Result<BlockHash>> + Send + use<'_> {
        let call = self.rpc("getbestblockhash", Value::Null);
        async move { Ok(serde_json::from_value(call.await?)?) }
    }

    /// The TCP port of its RPC on 127.0.0.1.
    pub fn rpc_port(&self) -> u16 {
        self.runner.rpc_port()
    }

    /// User name and password for its RPC.
    pub fn credentials(&self) -> (&str, &str) {
        self.rpc.credentials()
    }

    /// Its data directory; a real lightningd takes it as `--bitcoin-datadir`.
    pub fn dir(&self) -> &Path {
        self.runner.dir()
    }

    /// Its log.
    pub fn log_file(&self) -> PathBuf {
        self.runner.log_file()
    }

    /// The programs that are used: bitcoind, and bitcoin-cli if there is one.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.runner.pid()
    }

    /// Changes when a test has mined blocks or made a reorganisation here.
    pub(crate) fn mined(&self) -> tokio::sync::watch::Receiver<()> {
        self.mined.subscribe()
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }
}
