//! Blocks and reorganisations, under pyln-testing's names.

use std::panic::Location;
use std::pin::Pin;

use bitcoin::{BlockHash, Txid};
use serde_json::{Value, json};

use super::Bitcoind;
use crate::error::{Error, Result};
use crate::wait::{eventually, seen};

/// More than any fee: a transaction with its priority lowered by it is not mined.
const FEE_DELTA_SAT: i64 = 1_000_000;

impl Bitcoind {
    /// Mines so many blocks, with the transactions of the mempool; gives their hashes.
    ///
    /// ```no_run
    /// # async fn example(bitcoind: leyden::Bitcoind, txid: bitcoin::Txid) -> leyden::Result {
    /// bitcoind.generate_block(6).await?;
    /// bitcoind.generate_block(1).wait_for_mempool(txid).await?;
    /// bitcoind.generate_block(1).wait_for_mempool(2).await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn generate_block(&self, blocks: u32) -> GenerateBlock<'_> {
        GenerateBlock {
            bitcoind: self,
            blocks,
            wait: MempoolWait::Count(0),
            address: None,
            at: Location::caller(),
        }
    }

    /// Forks the chain at `height` and mines the transactions that this frees again, at `height + shift`; gives the hashes of the
    /// new blocks.
    ///
    /// The new chain is one block longer than the old one, or ends at `height + shift` if that is higher. Transactions that are
    /// no longer valid on it, such as the spending of a coinbase that is gone, are lost.
    ///
    /// # Errors
    /// If there is no block at `height`.
    #[track_caller]
    pub fn simple_reorg(
        &self,
        height: u32,
        shift: u32,
    ) -> impl Future<Output = Result<Vec<BlockHash>>> + Send + use<'_> {
        let at = Location::caller();
        async move { self.reorganise(height, shift).await.map_err(|error| error.at(at)) }
    }

    async fn reorganise(&self, height: u32, shift: u32) -> Result<Vec<BlockHash>> {
        let tip = self.block_count().await?;
        let new_tip = if height + shift > tip { height + shift } else { tip + 1 };
        let fork = self.rpc("getblockhash", json!([height])).await?;
        self.rpc("invalidateblock", json!([fork])).await?;
        // Mined to the old key within the same second, a block would be the one that is now invalid.
        self.wallet.turn_key();
        let freed = self.rpc("getrawmempool", Value::Null).await?;
        let freed = freed.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut hashes = Vec::new();
        if shift > 0 {
            self.prioritise(freed, -FEE_DELTA_SAT).await?;
            hashes.extend(self.generate_block(shift).await?);
            self.prioritise(freed, FEE_DELTA_SAT).await?;
        }
        hashes.extend(self.generate_block(1 + new_tip - (height + shift)).await?);
        Ok(hashes)
    }

    async fn prioritise(&self, txids: &[Value], fee_delta_sat: i64) -> Result {
        for txid in txids {
            self.rpc("prioritisetransaction", json!([txid, null, fee_delta_sat])).await?;
        }
        Ok(())
    }

    async fn mempool_holds(&self, wait: &MempoolWait, at: &'static Location<'static>) -> Result {
        let look = async move || {
            let mempool: Vec<Txid> = serde_json::from_value(self.rpc("getrawmempool", Value::Null).await?)?;
            Ok::<_, Error>(seen(mempool, |mempool| match wait {
                MempoolWait::Count(count) => mempool.len() >= *count,
                MempoolWait::Txids(txids) => txids.iter().all(|txid| mempool.contains(txid)),
            }))
        };
        eventually(format!("bitcoind's mempool holds {wait}"), look).until(self.deadline()).at(at).await?;
        Ok(())
    }
}

/// Blocks to be mined; made by [`Bitcoind::generate_block`].
#[derive(Debug)]
#[must_use = "no block is mined until this is awaited"]
pub struct GenerateBlock<'a> {
    bitcoind: &'a Bitcoind,
    blocks: u32,
    wait: MempoolWait,
    address: Option<String>,
    at: &'static Location<'static>,
}

impl GenerateBlock<'_> {
    /// First waits until the mempool holds this: a number of transactions, or the ones with these ids.
    pub fn wait_for_mempool(mut self, wait: impl Into<MempoolWait>) -> Self {
        self.wait = wait.into();
        self
    }

    /// Pays the coinbases to this address. They are then no longer Leyden's to spend.
    pub fn to_address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    async fn run(self) -> Result<Vec<BlockHash>> {
        let Self { bitcoind, blocks, wait, address, at } = self;
        if !wait.is_nothing() {
            bitcoind.mempool_holds(&wait, at).await?;
        }
        let address = address.unwrap_or_else(|| bitcoind.wallet.mining_address().to_string());
        let hashes = bitcoind
            .rpc("generatetoaddress", json!([blocks, address]))
            .await
            .map_err(|error| error.at(at))?;
        bitcoind.mined.send_replace(());
        Ok(serde_json::from_value(hashes)?)
    }
}

impl<'a> IntoFuture for GenerateBlock<'a> {
    type Output = Result<Vec<BlockHash>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// What the mempool must hold before blocks are mined.
#[derive(Clone, Debug)]
pub enum MempoolWait {
    /// So many transactions, or more.
    Count(usize),
    /// All of these.
    Txids(Vec<Txid>),
}

impl MempoolWait {
    fn is_nothing(&self) -> bool {
        match self {
            MempoolWait::Count(count) => *count == 0,
            MempoolWait::Txids(txids) => txids.is_empty(),
        }
    }
}

impl std::fmt::Display for MempoolWait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MempoolWait::Count(count) => write!(f, "at least {count} transactions"),
            MempoolWait::Txids(txids) => write!(f, "the transactions {txids:?}"),
        }
    }
}

impl From<usize> for MempoolWait {
    fn from(count: usize) -> Self {
        MempoolWait::Count(count)
    }
}

impl From<Txid> for MempoolWait {
    fn from(txid: Txid) -> Self {
        MempoolWait::Txids(vec![txid])
    }
}

impl From<Vec<Txid>> for MempoolWait {
    fn from(txids: Vec<Txid>) -> Self {
        MempoolWait::Txids(txids)
    }
}
