//! From coins to channels, under pyln-testing's names: `fundwallet`, `fundchannel`, `join_nodes`.
//!
//! Whatever the number of channels: one transaction of bitcoind for all wallets, then all channels at the same time, in one block.

use std::collections::HashMap;
use std::panic::Location;
use std::pin::Pin;

use bitcoin::{BlockHash, Txid};
use serde::Deserialize;
use serde_json::json;

use crate::amount::{Amount, Units};
use crate::bitcoind::Bitcoind;
use crate::builder::Line;
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::net::Net;
use crate::node::Node;
use crate::wait::eventually;

/// What a wallet gets beyond the capacity of its channel, as in pyln-testing: for fees and for anchors.
const SPARE_SAT: u64 = 1_000_000;

/// Blocks on top of the first that a channel needs before it is announced (BOLT 7).
const TO_ANNOUNCE: u32 = 5;

/// What the channels of a line shall be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelPlan {
    pub(crate) fundamount: Amount,
    /// Whether the channels are announced.
    pub(crate) announce: bool,
    /// Whether blocks are mined until they are, and all nodes know of them.
    wait_for_announce: bool,
    push: Amount,
}

impl Default for ChannelPlan {
    fn default() -> Self {
        Self { fundamount: 1_000_000.sat(), announce: true, wait_for_announce: true, push: Amount::default() }
    }
}

/// A channel that was funded and is usable on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundedChannel {
    /// Its short channel id, such as `103x1x0`.
    pub scid: String,
    /// The transaction that funded it.
    pub funding_txid: Txid,
}

impl Net {
    /// Gives a node so many coins, in one output and with one confirmation; it knows of them when this returns.
    ///
    /// # Errors
    /// If bitcoind has not so much, or if the node does not answer.
    #[track_caller]
    pub fn fundwallet<'a>(
        &'a self,
        node: &'a Node,
        amount: Amount,
    ) -> impl Future<Output = Result> + Send + use<'a> {
        let at = Location::caller();
        async move { self.fund_wallets(&[(node.clone(), amount)], at).await.map_err(|error| error.at(at)) }
    }

    /// Opens a channel of this capacity from one node to another: gives the first its coins, connects them, mines, and waits until both sides
    /// are in `CHANNELD_NORMAL`.
    ///
    /// ```no_run
    /// # async fn test(net: leyden::Net) -> leyden::Result {
    /// use leyden::Units;
    /// let [l1, l2] = net.nodes();
    /// let channel = net.fundchannel(&l1, &l2, 100_000.sat()).push(20_000.sat()).announce_channel(false).await?;
    /// assert_eq!(l1.get_channel_scid(&l2).await?, channel.scid);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn fundchannel(&self, from: &Node, to: &Node, amount: Amount) -> FundChannel<'_> {
        let plan = ChannelPlan { fundamount: amount, wait_for_announce: false, ..ChannelPlan::default() };
        FundChannel { net: self, from: from.clone(), to: to.clone(), plan, at: Location::caller() }
    }

    /// As [`Net::fundchannel`]; each side then has half of the capacity.
    #[track_caller]
    pub fn fundbalancedchannel(&self, from: &Node, to: &Node, total_capacity: Amount) -> FundChannel<'_> {
        self.fundchannel(from, to, total_capacity).push((total_capacity.to_msat() / 2).msat())
    }

    /// Connects nodes in a line and opens channels between neighbours, as [`Net::line`] does; gives them in the order of the nodes.
    #[track_caller]
    pub fn join_nodes(&self, nodes: &[&Node]) -> JoinNodes<'_> {
        let nodes = nodes.iter().map(|node| (*node).clone()).collect();
        JoinNodes { net: self, nodes, plan: ChannelPlan::default(), at: Location::caller() }
    }

    /// Waits until every node that runs has seen the block at bitcoind's tip.
    ///
    /// # Errors
    /// If one does not see it in time.
    #[track_caller]
    pub fn sync_blockheight(&self) -> impl Future<Output = Result> + Send + use<'_> {
        let at = Location::caller();
        async move { self.sync(&self.nodes, at).await }
    }

    /// Mines so many blocks, as [`Bitcoind::generate_block`], and waits until every node that runs has seen them.
    ///
    /// # Errors
    /// As [`Net::sync_blockheight`].
    #[track_caller]
    pub fn generate_block(
        &self,
        blocks: u32,
    ) -> impl Future<Output = Result<Vec<BlockHash>>> + Send + use<'_> {
        let at = Location::caller();
        async move {
            let hashes = self.bitcoind().generate_block(blocks).await.map_err(|error| error.at(at))?;
            self.sync(&self.nodes, at).await?;
            Ok(hashes)
        }
    }

    pub(crate) async fn join_line(
        &self,
        nodes: &[Node],
        line: Line,
        at: &'static Location<'static>,
    ) -> Result {
        let pairs = neighbours(nodes);
        match line {
            Line::Connected => self.connect_all(&pairs, at).await,
            Line::Channels(plan) => self.fund_channels(&pairs, plan, at).await.map(drop),
        }
    }

    async fn connect_all(&self, pairs: &[(Node, Node)], at: &'static Location<'static>) -> Result {
        self.at_once(pairs.iter().cloned().map(|(from, to)| async move { from.connect_at(&to, at).await }))
            .await
            .map(drop)
    }

    async fn sync(&self, nodes: &[Node], at: &'static Location<'static>) -> Result {
        let height = self.bitcoind().block_count().await.map_err(|error| error.at(at))?;
        let running = nodes.iter().filter(|node| node.is_running()).cloned();
        // The node's own patience is a minute, whatever a slow machine was given.
        let patience = self.surroundings.settings.timeout.as_secs();
        let wait =
            |node: Node| async move { node.rpc_at("waitblockheight", json!([height, patience]), at).await };
        self.at_once(running.map(wait)).await.map(drop)
    }

    async fn fund_wallets(&self, wallets: &[(Node, Amount)], at: &'static Location<'static>) -> Result {
        let nodes: Vec<Node> = wallets.iter().map(|(node, _)| node.clone()).collect();
        let address = |node: Node| async move {
            let answer = node.rpc_at("newaddr", json!(["bech32"]), at).await?;
            let address = answer["bech32"].as_str().or(answer["address"].as_str()).map(str::to_owned);
            address
                .ok_or_else(|| Error::node("newaddr").expected("an address").came(answer.to_string()).at(at))
        };
        let addresses = self.at_once(nodes.iter().cloned().map(address)).await?;
        let payments: Vec<(&str, u64)> = addresses
            .iter()
            .zip(wallets)
            .map(|(address, (_, amount))| (&**address, amount.to_sat()))
            .collect();
        let txid = self.bitcoind().send_to_many(&payments).await?;
        self.bitcoind().generate_block(1).wait_for_mempool(txid).await?;
        self.sync(&nodes, at).await?;
        self.at_once(nodes.into_iter().map(|node| async move { node.has_all_blocks(at).await }))
            .await
            .map(drop)
    }

    async fn fund_channels(
        &self,
        pairs: &[(Node, Node)],
        plan: ChannelPlan,
        at: &'static Location<'static>,
    ) -> Result<Vec<FundedChannel>> {
        self.fund_channels_of(pairs, plan, at).await.map_err(|error| error.at(at))
    }

    async fn fund_channels_of(
        &self,
        pairs: &[(Node, Node)],
        plan: ChannelPlan,
        at: &'static Location<'static>,
    ) -> Result<Vec<FundedChannel>> {
        if self.bitcoind.is_none() {
            return Err(
                Error::test("opening channels").came("the net's chain is a MockChain, which has no coins")
            );
        }
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let spare = SPARE_SAT.sat();
        let wallets: Vec<_> = pairs.iter().map(|(from, _)| (from.clone(), plan.fundamount + spare)).collect();
        self.connect_all(pairs, at).await?;
        self.fund_wallets(&wallets, at).await?;
        // A node that is behind refuses channels.
        self.sync(&both_ends(pairs), at).await?;
        let began = self.timeline().now();
        let fund = |(from, to): (Node, Node)| async move { from.fund(&to, plan, at).await };
        let fundings = self.at_once(pairs.iter().cloned().map(fund)).await?;
        let txids: Vec<Txid> = fundings.iter().map(|funding| funding.txid).collect();
        self.bitcoind().generate_block(1).wait_for_mempool(txids).await?;
        let usable =
            pairs.iter().flat_map(|(from, to)| [(from.clone(), to.clone()), (to.clone(), from.clone())]);
        self.at_once(
            usable.map(|(one, other)| async move { one.sees_channel_usable(&other, began, at).await }),
        )
        .await?;
        let scids = self.scids(&fundings).await?;
        for ((from, to), scid) in pairs.iter().zip(&scids) {
            let (from, to) = (from.name().to_owned(), to.name().to_owned());
            self.timeline().record(None, EventKind::ChannelFunded { scid: scid.clone(), from, to });
        }
        if plan.announce && plan.wait_for_announce {
            self.announce(&both_ends(pairs), &scids, at).await?;
        }
        let funded = |(scid, funding): (String, Funding)| FundedChannel { scid, funding_txid: funding.txid };
        Ok(scids.into_iter().zip(fundings).map(funded).collect())
    }

    /// Where the funding transactions, which are in the last block, stand in it.
    async fn scids(&self, fundings: &[Funding]) -> Result<Vec<String>> {
        let bitcoind: &Bitcoind = self.bitcoind();
        let hash = bitcoind.best_block_hash().await?;
        let block = bitcoind.rpc("getblock", json!([hash])).await?;
        let txids: Vec<Txid> = serde_json::from_value(block["tx"].clone())?;
        let places: HashMap<Txid, usize> = txids.into_iter().zip(0..).collect();
        let scid = |funding: &Funding| {
            let place = places.get(&funding.txid)?;
            Some(format!("{}x{place}x{}", block["height"], funding.outnum))
        };
        let scids: Option<Vec<String>> = fundings.iter().map(scid).collect();
        scids.ok_or_else(|| {
            Error::node("funding channels")
                .expected("all funding transactions in one block")
                .came(format!("it has {places:?}"))
        })
    }

    /// Mines until the channels may be announced, and waits until all of these nodes know them both ways.
    async fn announce(&self, nodes: &[Node], scids: &[String], at: &'static Location<'static>) -> Result {
        self.bitcoind().generate_block(TO_ANNOUNCE).await?;
        self.sync(nodes, at).await?;
        let wait = |node: Node| {
            let scids = scids.to_vec();
            async move { node.knows_channels(scids, at).await }
        };
        self.at_once(nodes.iter().cloned().map(wait)).await.map(drop)
    }
}

/// What `fundchannel` answers.
#[derive(Deserialize)]
struct Funding {
    txid: Txid,
    outnum: u32,
}

impl Node {
    /// Waits until it knows that there are no more blocks: until then it does not spend what it has found in those that there are, and writes
    /// of its own accord.
    pub(crate) async fn has_all_blocks(&self, at: &'static Location<'static>) -> Result {
        let look = || async {
            let info = self.rpc_at("getinfo", json!({}), at).await?;
            let behind = ["warning_bitcoind_sync", "warning_lightningd_sync"]
                .map(|warning| info.get(warning).is_some());
            Ok::<_, Error>(behind == [false; 2])
        };
        let what = format!("{} has loaded all blocks", self.name());
        self.noted(eventually(what, look).until(self.deadline()).at(at).await)
    }

    async fn fund(&self, to: &Node, plan: ChannelPlan, at: &'static Location<'static>) -> Result<Funding> {
        let mut params =
            json!({"id": to.id(), "amount": plan.fundamount.to_sat(), "announce": plan.announce});
        if plan.push > Amount::default() {
            params["push_msat"] = json!(plan.push);
        }
        Ok(serde_json::from_value(self.rpc_at("fundchannel", params, at).await?)?)
    }

    async fn knows_channels(&self, scids: Vec<String>, at: &'static Location<'static>) -> Result {
        let what = format!("{} knows {} both ways", self.name(), scids.join(", "));
        let look = || async {
            let listed = self.rpc_at("listchannels", json!({}), at).await?;
            let active = |scid: &&String| {
                let halves = listed["channels"].as_array().into_iter().flatten();
                let active = |half: &&serde_json::Value| {
                    half["short_channel_id"] == scid.as_str()
                        && half["active"] == true
                        && half["public"] == true
                };
                halves.filter(active).count() == 2
            };
            let missing: Vec<&String> = scids.iter().filter(|scid| !active(scid)).collect();
            Ok::<_, Error>(crate::wait::seen(format!("{missing:?} missing"), |_| missing.is_empty()))
        };
        self.noted(eventually(what, look).until(self.deadline()).at(at).await.map(drop))
    }
}

fn neighbours(nodes: &[Node]) -> Vec<(Node, Node)> {
    nodes.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// The nodes of these pairs, each once.
fn both_ends(pairs: &[(Node, Node)]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for node in pairs.iter().flat_map(|(from, to)| [from, to]) {
        if !nodes.iter().any(|known| known.name() == node.name()) {
            nodes.push(node.clone());
        }
    }
    nodes
}

/// A channel to be opened; made by [`Net::fundchannel`].
#[must_use = "no channel is opened until this is awaited"]
pub struct FundChannel<'a> {
    net: &'a Net,
    from: Node,
    to: Node,
    plan: ChannelPlan,
    at: &'static Location<'static>,
}

impl FundChannel<'_> {
    /// Whether it shall be announced six blocks later, which are not mined here. It is without this.
    pub fn announce_channel(mut self, announce: bool) -> Self {
        self.plan.announce = announce;
        self
    }

    /// So much of it belongs to the other side from the start.
    pub fn push(mut self, amount: Amount) -> Self {
        self.plan.push = amount;
        self
    }

    async fn run(self) -> Result<FundedChannel> {
        let Self { net, from, to, plan, at } = self;
        let mut funded = net.fund_channels(&[(from, to)], plan, at).await?;
        Ok(funded.remove(0))
    }
}

/// Channels to be opened; made by [`Net::join_nodes`].
#[must_use = "no channel is opened until this is awaited"]
pub struct JoinNodes<'a> {
    net: &'a Net,
    nodes: Vec<Node>,
    plan: ChannelPlan,
    at: &'static Location<'static>,
}

impl JoinNodes<'_> {
    /// The capacity of each: 1,000,000 sat without this.
    pub fn fundamount(mut self, amount: Amount) -> Self {
        self.plan.fundamount = amount;
        self
    }

    /// Whether they are announced, and known to all these nodes when this is done. They are without this.
    pub fn announce_channels(mut self, announce: bool) -> Self {
        self.plan.announce = announce;
        self
    }
}

impl<'a> IntoFuture for FundChannel<'a> {
    type Output = Result<FundedChannel>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<'a> IntoFuture for JoinNodes<'a> {
    type Output = Result<Vec<FundedChannel>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { net, nodes, plan, at } = self;
            net.fund_channels(&neighbours(&nodes), plan, at).await
        })
    }
}
