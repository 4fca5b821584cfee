//! What happens on the chain: channels that are closed, and forks.

use leyden::bitcoind::MempoolWait;
use leyden::{Error, Node, Result};
use serde_json::{Value, json};

use super::stage::{Closing, PAUSE, Place, Stage, list, sat};

/// What a commitment transaction spends on an anchor.
const ANCHOR_SAT: u64 = 330;

/// An own output can be spent after so many blocks, and a few to see them.
const SWEPT_WITHIN_BLOCKS: u32 = 12;

/// An HTLC's own transaction and its sweep, with the blocks between them.
const CLAIMED_WITHIN_BLOCKS: u32 = 60;

/// Both nodes of a channel, whoever is named first.
fn pair(one: &Node, other: &Node) -> [String; 2] {
    let mut names = [one, other].map(|node| node.name().to_owned());
    names.sort();
    names
}

impl Stage<'_> {
    /// Replaces so many blocks; what was in them is in one block then, `shift` blocks later. A transaction that bitcoind forgets over this,
    /// because it is not yet final again, is sent again by its node.
    pub(crate) async fn reorg(&mut self, depth: u32, shift: u32) -> Result {
        let bitcoind = self.net.bitcoind();
        let fork = bitcoind.block_count().await? + 1 - depth;
        bitcoind.simple_reorg(fork, shift).await?;
        self.net.sync_blockheight().await?;
        let mut looked_at = fork - 1;
        loop {
            let tip = bitcoind.block_count().await?;
            for height in looked_at + 1..=tip {
                let hash = bitcoind.rpc("getblockhash", json!([height])).await?;
                let block = bitcoind.rpc("getblock", json!([hash])).await?;
                let here = self.transactions.iter_mut().filter(|(txid, _)| list(&block["tx"]).contains(txid));
                here.for_each(|(_, place)| *place = Place { height, is_new: true });
            }
            looked_at = tip;
            let lost = self.transactions.iter().filter(|(_, place)| place.height >= fork && !place.is_new);
            let lost: Vec<Value> = lost.map(|(txid, _)| txid.clone()).collect();
            if lost.is_empty() {
                self.transactions.iter_mut().for_each(|(_, place)| place.is_new = false);
                return Ok(());
            }
            leyden::eventually(format!("one of {lost:?} is sent again"), || async {
                let mempool = bitcoind.rpc("getrawmempool", Value::Null).await?;
                Ok::<_, Error>(lost.iter().any(|txid| list(&mempool).contains(txid)))
            })
            .within(self.patience)
            .await?;
            self.net.generate_block(1).await?;
        }
    }

    /// Both nodes close their channel, and `opener` pays for it.
    pub(crate) async fn close(&mut self, by: &Node, with: &Node, opener: &Node) -> Result {
        let scid = self.channel(by, with).await?["short_channel_id"].take();
        let closed = by.rpc("close", json!([scid])).await?;
        if closed["type"] != "mutual" {
            return Err(Error::node("close").expected("a mutual close").came(closed.to_string()));
        }
        let transaction = self.mine(&closed["txids"][0]).await?;
        self.spent(opener, sat(&transaction["fee"]));
        Ok(())
    }

    /// One node takes the channel to the chain, and then what is its own there, if it has something. The other one hears of it there.
    pub(crate) async fn close_alone(&mut self, by: &Node, with: &Node, opener: &Node, has: bool) -> Result {
        let txid = self.channel(by, with).await?["scratch_txid"].take();
        self.disconnect(by, with).await?;
        by.rpc("dev-fail", json!([with.id()])).await?;
        let commitment = self.mine(&txid).await?;
        let closing = Closing { by: by.name().to_owned(), txids: vec![txid.clone()] };
        self.closings.insert(pair(by, with), closing);
        let outputs = list(&commitment["vout"]);
        let anchors = outputs.iter().filter(|output| sat(&output["value"]) == ANCHOR_SAT).count() as u64;
        self.spent(opener, sat(&commitment["fee"]) + anchors * ANCHOR_SAT);
        for _ in 0..SWEPT_WITHIN_BLOCKS {
            if !has {
                return Ok(());
            }
            self.net.generate_block(1).await?;
            let spends =
                |transaction: &&Value| list(&transaction["vin"]).iter().any(|input| input["txid"] == txid);
            if let Some(sweep) = list(&self.block().await?["tx"]).iter().find(spends) {
                let (sweep, fee_sat) = (sweep["txid"].clone(), sat(&sweep["fee"]));
                self.mined(&sweep).await?;
                self.spent(by, fee_sat);
                return Ok(());
            }
        }
        Err(Error::node(format!("{}: its output of the commitment {txid}", by.name()))
            .came("it is not spent"))
    }

    /// A node takes the HTLCs of a payment out of a channel that was closed alone: with the preimage, or when they have timed out. Who has closed the
    /// channel needs two transactions for each.
    pub(crate) async fn claim(&mut self, payment: u64, by: &Node, from: &Node, late: bool) -> Result {
        let mut closing = self.closings.remove(&pair(by, from)).expect("it was closed");
        let parts = usize::try_from(self.parts[&payment]).expect("they are few");
        let wanted = closing.txids.len() + parts * if closing.by == by.name() { 2 } else { 1 };
        let bitcoind = self.net.bitcoind();
        if late {
            let listed = by.rpc("listhtlcs", json!({})).await?;
            let ours = list(&listed["htlcs"]).iter().filter(|htlc| htlc["direction"] == "out");
            let hash = self.hash(payment);
            let expiries =
                ours.filter(|htlc| htlc["payment_hash"] == hash).filter_map(|htlc| htlc["expiry"].as_u64());
            let expiry = u32::try_from(expiries.max().unwrap_or_default()).expect("a height");
            self.net.generate_block(expiry.saturating_sub(bitcoind.block_count().await?)).await?;
        }
        for _ in 0..CLAIMED_WITHIN_BLOCKS {
            // It may wait for the block rather than the block for it.
            let is_something_there = leyden::eventually("something is sent", || async {
                let mempool = bitcoind.rpc("getrawmempool", Value::Null).await?;
                Ok::<_, Error>(!list(&mempool).is_empty())
            });
            drop(is_something_there.within(PAUSE * 10).await);
            self.net.generate_block(1).await?;
            for transaction in list(&self.block().await?["tx"]) {
                let is_spent = |input: &Value| closing.txids.contains(&input["txid"]);
                if list(&transaction["vin"]).iter().any(is_spent) {
                    closing.txids.push(transaction["txid"].clone());
                    self.mined(&transaction["txid"]).await?;
                    self.spent(by, sat(&transaction["fee"]));
                }
            }
            if closing.txids.len() >= wanted {
                self.closings.insert(pair(by, from), closing);
                return Ok(());
            }
        }
        Err(Error::node(format!("{}: its HTLCs of payment {payment}", by.name())).came("they are not spent"))
    }

    /// Waits for a transaction in the mempool, and mines it.
    async fn mine(&mut self, txid: &Value) -> Result<Value> {
        let wanted = MempoolWait::Txids(serde_json::from_value(json!([txid]))?);
        self.net.bitcoind().generate_block(1).wait_for_mempool(wanted).await?;
        self.net.sync_blockheight().await?;
        self.mined(txid).await
    }

    /// A transaction of the last block, with its fee.
    pub(super) async fn mined(&mut self, txid: &Value) -> Result<Value> {
        let height = self.net.bitcoind().block_count().await?;
        self.transactions.push((txid.clone(), Place { height, is_new: false }));
        let block = self.block().await?;
        let found = list(&block["tx"]).iter().find(|transaction| transaction["txid"] == *txid).cloned();
        found.ok_or_else(|| Error::test(format!("the transaction {txid}")).came("the last block has it not"))
    }

    /// The last block, with its transactions.
    async fn block(&self) -> Result<Value> {
        let bitcoind = self.net.bitcoind();
        bitcoind.rpc("getblock", json!([bitcoind.best_block_hash().await?, 2])).await
    }
}
