//! The life of a channel, opened, confirmed and closed by both, during which one of its two nodes crashes.

use std::collections::BTreeSet;

use leyden::{CrashPoint, Net, Node, Result, eventually, seen};
use serde_json::{Value, json};

use crate::matrix::{Way, until};

const CAPACITY_SAT: u64 = 100_000;
/// What opening and closing a channel may cost on the chain.
const FEES_MSAT: u64 = 10_000_000;
/// A crash may leave a coin reserved: there is one for each life.
const COINS: usize = 60;
const COIN_SAT: u64 = 300_000;

const OPENING: [&str; 1] = ["CHANNELD_AWAITING_LOCKIN"];
const OPEN: [&str; 3] = ["CHANNELD_NORMAL", "CHANNELD_SHUTTING_DOWN", "CLOSINGD_SIGEXCHANGE"];
const CLOSED: [&str; 3] = ["CLOSINGD_COMPLETE", "FUNDING_SPEND_SEEN", "ONCHAIN"];

/// What became of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    /// Its funding transaction is not in the chain, and the coins are where they were.
    NeverFunded,
}

pub(crate) struct Pair<'a> {
    net: &'a Net,
    opener: Node,
    other: Node,
    victim: Node,
    /// The channels of earlier lives.
    past: BTreeSet<String>,
    pub(crate) ends: Vec<End>,
}

impl<'a> Pair<'a> {
    pub(crate) async fn new(net: &'a Net, victim: &str) -> Result<Self> {
        let [opener, other] = net.nodes();
        let address = opener.rpc("newaddr", json!(["p2tr"])).await?["p2tr"].take();
        let address = address.as_str().unwrap_or_default();
        net.bitcoind().send_to_many(&[(address, COIN_SAT); COINS]).await?;
        net.generate_block(1).await?;
        Ok(Self { net, opener, other, victim: net.node(victim), past: BTreeSet::new(), ends: Vec::new() })
    }

    /// Lives through a channel; the victim crashes at the point and starts again. Both must agree about what there is, and no money may be
    /// lost.
    pub(crate) async fn live_and_crash(&mut self, point: CrashPoint) -> Result<Way> {
        let before = self.coins().await?;
        let crash = self.net.crash(&self.victim).at(point)?;
        let way = until(crash, async {
            let params = json!({"id": self.other.id(), "amount": CAPACITY_SAT});
            self.opener.rpc("fundchannel", params).await?;
            self.live_on().await.map(drop)
        });
        let way = way.await?;
        if way == Way::Crashed {
            self.victim.start().await?;
        }
        let end = self.live_on().await?;
        let lost = before.checked_sub(self.coins().await?).expect("nobody gives money away");
        assert!(lost <= FEES_MSAT, "{end:?}: {lost} msat are lost");
        assert!(end == End::Closed || lost == 0, "{lost} msat were paid for no channel");
        assert!(end == End::Closed || way == Way::Crashed, "nobody crashed, and there is no channel");
        self.past.extend(self.channels().await?.iter().flatten().map(id));
        self.ends.push(end);
        Ok(way)
    }

    /// Goes on from wherever the channel stands, to its end.
    async fn live_on(&self) -> Result<End> {
        eventually("they are connected", || self.connect()).await?;
        self.net.generate_block(1).await?;
        let [ours, theirs] = self.channels().await?;
        let Some(channel) = ours.or(theirs) else { return Ok(End::NeverFunded) };
        if self.is_unspent(&channel).await? {
            self.reach(&[&OPEN[..], &CLOSED].concat()).await?;
            // An error says that it is being closed already: the node goes on with that by itself.
            drop(self.opener.rpc("close", json!({"id": channel["channel_id"]})).await);
            self.reach(&CLOSED).await?;
            let sent = || async { self.is_unspent(&channel).await.map(|unspent| !unspent) };
            eventually("the closing transaction was sent", sent).await?;
        } else if OPENING.iter().any(|state| channel["state"] == *state) {
            return Ok(End::NeverFunded);
        }
        self.net.generate_block(1).await?;
        self.reach(&["ONCHAIN"]).await?;
        Ok(End::Closed)
    }

    async fn connect(&self) -> Result<bool> {
        self.opener.connect(&self.other).await?;
        let mut connected = true;
        for (node, peer) in [(&self.opener, &self.other), (&self.other, &self.opener)] {
            let listed = node.rpc("listpeers", json!([peer.id()])).await?;
            connected &= listed["peers"][0]["connected"] == true;
        }
        Ok(connected)
    }

    /// Whether a channel's funding output is in the chain, and nothing that spends it is on its way.
    async fn is_unspent(&self, channel: &Value) -> Result<bool> {
        let output = json!([channel["funding_txid"], channel["funding_outnum"]]);
        Ok(!self.net.bitcoind().rpc("gettxout", output).await?.is_null())
    }

    /// Waits until both ends have the channel, in one of these states.
    async fn reach(&self, states: &[&str]) -> Result {
        let look = || async {
            let found = self.channels().await?.map(|end| end.map(|channel| channel["state"].clone()));
            Ok::<_, leyden::Error>(seen(found, |found| {
                found
                    .iter()
                    .all(|end| end.as_ref().is_some_and(|end| states.iter().any(|state| end == state)))
            }))
        };
        eventually(format!("the channel is in one of {states:?} at both ends"), look).await.map(drop)
    }

    /// The channel that is not one of the past, as each end has it.
    async fn channels(&self) -> Result<[Option<Value>; 2]> {
        let mut found = [None, None];
        for (found, node) in found.iter_mut().zip([&self.opener, &self.other]) {
            let listed = node.rpc("listpeerchannels", json!({})).await?;
            let mut all = listed["channels"].as_array().into_iter().flatten();
            *found = all.find(|channel| !self.past.contains(&id(channel))).cloned();
        }
        Ok(found)
    }

    /// What the opener has outside of channels, in msat.
    async fn coins(&self) -> Result<u64> {
        let funds = self.opener.rpc("listfunds", json!({})).await?;
        let outputs = funds["outputs"].as_array().into_iter().flatten();
        Ok(outputs.filter_map(|output| output["amount_msat"].as_u64()).sum())
    }
}

fn id(channel: &Value) -> String {
    channel["channel_id"].as_str().unwrap_or_default().to_owned()
}
