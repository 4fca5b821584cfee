//! What a sequence does, in verbs: HTLCs wait for their verdict, and nodes and links that are lost are brought back. A test that was
//! printed has this file behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use leyden::event::{Event, EventKind};
use leyden::{Amount, Crash, Deadline, Error, Mock, MockPlugin, Net, Node, Reply, Result, Struck};
use serde_json::{Value, json};

/// How long to wait for what is expected; it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between the deadlines of two hops: enough for an HTLC to time out on the chain behind the one, and to be failed at the other.
const HOP_BLOCKS: u32 = 40;

/// Between two looks at what tells of no change.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// States in which a channel is as good as gone.
const OVER: [&str; 5] =
    ["CLOSINGD_COMPLETE", "AWAITING_UNILATERAL", "FUNDING_SPEND_SEEN", "ONCHAIN", "CLOSED"];

/// What bitcoind seems to estimate: its own estimates change with what the test does, and nodes that ask at different times would not agree.
pub(crate) const FEERATES: [u32; 4] = [1000; 4];

/// A plugin that is asked about every HTLC, and answers when it is told to.
pub(crate) fn judge() -> Mock {
    Mock::hook("htlc_accepted").reply(Reply::hang()).named("judge")
}

/// What is to happen to the net at some point.
pub(crate) enum Fault {
    Crash(Node, Crash),
    Cut(Node, Struck),
}

/// A net that is played on. Payments have numbers; a payment's preimage is its number.
pub(crate) struct Stage<'a> {
    pub(super) net: &'a Net,
    pub(super) nodes: Vec<Node>,
    pub(super) patience: Duration,
    /// By the name of their node. A plugin that has died is followed by another.
    pub(super) judges: BTreeMap<String, Vec<MockPlugin>>,
    /// What the payee has answered to `invoice`, by the number of the payment.
    pub(super) invoices: BTreeMap<u64, Value>,
    /// In how many parts each payment was sent.
    pub(super) parts: BTreeMap<u64, u64>,
    /// What is answered about a payment at a node, however often it is asked in a time of danger.
    pub(super) verdicts: BTreeMap<(String, u64), Reply>,
    /// Calls that were answered: node, place of the judge, number of the call.
    pub(super) answered: BTreeSet<(String, usize, usize)>,
    /// What nodes have paid to miners, and left in anchors.
    pub(super) fees_sat: BTreeMap<String, u64>,
    /// What was mined: the id, and where.
    pub(super) transactions: Vec<(Value, Place)>,
    /// Who has closed a channel alone, by the names of both, and what has been spent of it.
    pub(super) closings: BTreeMap<[String; 2], Closing>,
    pub(super) fault: Option<Fault>,
    /// Since a fault was armed, and until it is disarmed, whoever crashes is started, and links that are cut are made anew.
    pub(super) is_dangerous: bool,
}

/// A channel on the chain.
pub(super) struct Closing {
    pub(super) by: String,
    /// The commitment transaction, and all that come of it.
    pub(super) txids: Vec<Value>,
}

/// Where a transaction is in the chain.
pub(super) struct Place {
    pub(super) height: u32,
    /// It was found there since the last fork.
    pub(super) is_new: bool,
}

impl<'a> Stage<'a> {
    /// The net's nodes have a [`judge`] each.
    pub(crate) fn new(net: &'a Net, nodes: &[&Node]) -> Self {
        let judge = |node: &Node| node.mock("judge").expect("every node has a judge");
        Self {
            net,
            judges: nodes.iter().map(|node| (node.name().to_owned(), vec![judge(node)])).collect(),
            nodes: nodes.iter().map(|node| (*node).clone()).collect(),
            patience: PATIENCE,
            invoices: BTreeMap::new(),
            parts: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            answered: BTreeSet::new(),
            fees_sat: BTreeMap::new(),
            transactions: Vec::new(),
            closings: BTreeMap::new(),
            fault: None,
            is_dangerous: false,
        }
    }

    /// Waits less long, when what is expected has already failed to come once.
    pub(crate) fn hurry(&mut self) {
        self.patience /= 4;
    }

    /// Opens a channel from coins that the first node gets for it, which has a million sat more then.
    pub(crate) async fn open(&mut self, from: &Node, to: &Node, capacity: Amount, push: Amount) -> Result {
        let funded = self.net.fundchannel(from, to, capacity).push(push).await?;
        let transaction = self.mined(&json!(funded.funding_txid)).await?;
        self.spent(from, sat(&transaction["fee"]));
        Ok(())
    }

    /// Lets the payee make the invoice of a payment.
    pub(crate) async fn invoice(&mut self, payment: u64, payee: &Node, amount: Amount) -> Result {
        let label = payment.to_string();
        let preimage = preimage(payment);
        let params =
            json!({"amount_msat": amount, "label": label, "description": label, "preimage": preimage});
        self.invoices.insert(payment, payee.rpc("invoice", params).await?);
        Ok(())
    }

    /// Pays an invoice along these nodes, of which the first is the payer, in so many equal parts.
    pub(crate) async fn send(&mut self, payment: u64, along: &[&Node], amount: Amount, parts: u64) -> Result {
        self.parts.insert(payment, parts);
        let (hash, secret) = (self.hash(payment), self.invoices[&payment]["payment_secret"].clone());
        let (mut hops, mut amount_msat, mut delay) = (Vec::new(), amount.to_msat() / parts, 100);
        for pair in along.windows(2).rev() {
            let channel = self.scid(pair[0], pair[1]).await?;
            hops.insert(
                0,
                json!({"id": pair[1].id(), "channel": channel, "amount_msat": amount_msat, "delay": delay}),
            );
            amount_msat += 1 + amount_msat / 100_000;
            delay += HOP_BLOCKS;
        }
        let params = json!({"route": hops, "payment_hash": hash, "payment_secret": secret});
        for part in self.part_ids(payment) {
            let mut params = params.clone();
            if part > 0 {
                params["amount_msat"] = json!(amount);
                (params["partid"], params["groupid"]) = (json!(part), json!(1));
            }
            self.send_part(along, params).await?;
        }
        Ok(())
    }

    async fn send_part(&mut self, along: &[&Node], params: Value) -> Result {
        loop {
            let sent = along[0].rpc("sendpay", params.clone()).await;
            match sent {
                Ok(_) => return Ok(()),
                // It may have been the payer who crashed; whether it knows of the payment, it says when it is back.
                Err(error) => {
                    if !self.tend().await? {
                        return Err(error);
                    }
                }
            }
            let known = along[0].rpc("listsendpays", json!({"payment_hash": params["payment_hash"]})).await?;
            if known["payments"] != json!([]) {
                return Ok(());
            }
            self.are_connected(along[0], along[1]).await?;
        }
    }

    /// The numbers of a payment's parts: 0 for a whole one.
    pub(super) fn part_ids(&self, payment: u64) -> RangeInclusive<u64> {
        match self.parts[&payment] {
            1 => 0..=0,
            parts => 1..=parts,
        }
    }

    /// Waits until one node may use its channel with the other again.
    async fn are_connected(&mut self, node: &Node, peer: &Node) -> Result {
        let deadline = Deadline::after(self.patience);
        loop {
            let from = self.net.timeline().now();
            let channel = self.channel(node, peer).await?;
            if channel["reestablished"] == true {
                return Ok(());
            }
            let error =
                || Error::node(format!("{} and {}", node.name(), peer.name())).came("they do not connect");
            self.wait(from, deadline, error).await?;
        }
    }

    /// Waits until a node has asked about a payment, and answers; if it crashes and asks again, it gets the same answer.
    pub(crate) async fn answer(&mut self, node: &Node, payment: u64, reply: Reply) -> Result {
        self.verdicts.insert((node.name().to_owned(), payment), reply);
        let deadline = Deadline::after(self.patience);
        loop {
            let from = self.net.timeline().now();
            self.tend().await?;
            let calls = self.calls(node, payment);
            let answered = calls.iter().filter(|(judge, nth)| self.is_answered(node, *judge, *nth));
            let htlcs: BTreeSet<String> =
                answered.map(|(judge, nth)| self.htlc(node, *judge, *nth)).collect();
            if htlcs.len() as u64 == self.parts[&payment] {
                if !self.is_dangerous {
                    self.verdicts.clear();
                }
                return Ok(());
            }
            let doing = format!("waiting until {} asks about payment {payment}", node.name());
            self.wait(from, deadline, || Error::test(doing).came(format!("it asked {calls:?}"))).await?;
        }
    }

    /// The judge of a node dies, and so decides nothing of what waits for it; then there is another one.
    pub(crate) async fn crash_plugin(&mut self, node: &Node) -> Result {
        let judges = self.judges.get_mut(node.name()).expect("every node has a judge");
        judges.iter().for_each(MockPlugin::stop);
        leyden::eventually(format!("{} has no judge", node.name()), || async {
            let listed = node.rpc("plugin", json!(["list"])).await?;
            let is_judge =
                |plugin: &Value| plugin["name"].as_str().is_some_and(|name| name.ends_with("judge"));
            Ok::<_, Error>(!list(&listed["plugins"]).iter().any(is_judge))
        })
        .await?;
        judges.push(node.mount(judge()).await?);
        Ok(())
    }

    /// Ends the connection between two nodes. It is made anew.
    pub(crate) async fn disconnect(&self, node: &Node, peer: &Node) -> Result {
        node.rpc("disconnect", json!({"id": peer.id(), "force": true})).await.map(drop)
    }

    /// Something happens, once, until [`Stage::disarm`].
    pub(crate) fn arm(&mut self, fault: Fault) {
        (self.fault, self.is_dangerous) = (Some(fault), true);
    }

    /// What has not happened by now will not.
    pub(crate) async fn disarm(&mut self) -> Result {
        self.tend().await?;
        match self.fault.take() {
            Some(Fault::Crash(node, crash)) => {
                // It may have come since it was looked after.
                if let Some(crash) = crash.disarm() {
                    crash.happened().await?;
                    node.start().await?;
                }
            }
            Some(Fault::Cut(node, cut)) => {
                // The connection that ends with the message may still be ending.
                for peer in self.nodes.iter().filter(|_| cut.has_happened()) {
                    drop(self.disconnect(&node, peer).await);
                }
                cut.disarm();
            }
            None => {}
        }
        self.is_dangerous = false;
        self.verdicts.clear();
        Ok(())
    }

    /// Starts who has crashed, and says whether somebody has; gives the verdicts that are due.
    pub(super) async fn tend(&mut self) -> Result<bool> {
        let crashed = match self.fault.take() {
            Some(Fault::Crash(node, crash)) if crash.has_happened() => {
                crash.happened().await?;
                node.start().await?;
                true
            }
            other => {
                self.fault = other;
                false
            }
        };
        for ((node, payment), reply) in &self.verdicts {
            let node = self.net.node(node);
            // Without its next channel, a node that has just come back fails what it is told to forward.
            if self.is_dangerous && !self.is_connected(&node).await {
                continue;
            }
            for (judge, nth) in self.calls(&node, *payment) {
                if !self.is_answered(&node, judge, nth) {
                    let judge_itself = &self.judges[node.name()][judge];
                    let calls = judge_itself.calls("htlc_accepted");
                    // One that was asked in an earlier life is asked again.
                    judge_itself.answer(&calls[nth], reply);
                    self.answered.insert((node.name().to_owned(), judge, nth));
                }
            }
        }
        Ok(crashed)
    }

    /// Waits until something has happened, or for a moment.
    pub(super) async fn wait(
        &mut self,
        from: u64,
        deadline: Deadline,
        late: impl FnOnce() -> Error,
    ) -> Result {
        if deadline.has_passed() {
            return Err(late());
        }
        for node in self.nodes.iter().filter(|_| self.is_dangerous) {
            // One that has just crashed is started at the next look.
            let Ok(listed) = node.rpc("listpeerchannels", json!({})).await else { continue };
            self.reconnect(node, &listed["channels"]).await;
        }
        let happens = |event: &Event| (!matches!(event.kind, EventKind::Step(_))).then_some(());
        let timeline = self.net.timeline();
        drop(timeline.wait_for("a change", None, from, Deadline::after(PAUSE), happens).await);
        Ok(())
    }

    /// Whether a node runs and can use all its channels.
    async fn is_connected(&self, node: &Node) -> bool {
        let usable =
            |channel: &Value| channel["state"] != "CHANNELD_NORMAL" || channel["reestablished"] == true;
        let listed = node.rpc("listpeerchannels", json!({})).await;
        listed.is_ok_and(|listed| list(&listed["channels"]).iter().all(usable))
    }

    /// Connects a node with the peers of these channels that it has lost.
    pub(super) async fn reconnect(&self, node: &Node, channels: &Value) {
        for channel in list(channels) {
            if !is_over(channel) && channel["peer_connected"] == false {
                // The peer may be down; it is tried again at the next look.
                drop(node.connect(&self.peer(channel)).await);
            }
        }
    }

    /// The calls about a payment: place of the judge, place of the call.
    pub(super) fn calls(&self, node: &Node, payment: u64) -> Vec<(usize, usize)> {
        let hash = self.hash(payment);
        let mut found = Vec::new();
        for (place, judge) in self.judges[node.name()].iter().enumerate() {
            let calls = judge.calls("htlc_accepted");
            let about =
                calls.iter().enumerate().filter(|(_, call)| call.params()["htlc"]["payment_hash"] == hash);
            found.extend(about.map(|(nth, _)| (place, nth)));
        }
        found
    }

    /// Which HTLC a call is about.
    fn htlc(&self, node: &Node, judge: usize, nth: usize) -> String {
        let call = &self.judges[node.name()][judge].calls("htlc_accepted")[nth];
        call.params()["htlc"]["id"].to_string()
    }

    fn is_answered(&self, node: &Node, judge: usize, nth: usize) -> bool {
        self.answered.contains(&(node.name().to_owned(), judge, nth))
    }

    pub(super) fn hash(&self, payment: u64) -> Value {
        self.invoices[&payment]["payment_hash"].clone()
    }

    pub(super) fn peer(&self, channel: &Value) -> Node {
        let found = self.nodes.iter().find(|node| channel["peer_id"] == node.id());
        found.expect("peers are nodes of the net").clone()
    }

    pub(super) fn spent(&mut self, node: &Node, fee_sat: u64) {
        *self.fees_sat.entry(node.name().to_owned()).or_default() += fee_sat;
    }
}

pub(super) fn preimage(payment: u64) -> String {
    format!("{payment:064x}")
}

pub(super) fn is_over(channel: &Value) -> bool {
    OVER.iter().any(|state| channel["state"] == *state)
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// From bitcoind's decimals.
pub(super) fn sat(btc: &Value) -> u64 {
    let sat = btc.as_f64().unwrap_or_default() * 1e8;
    format!("{sat:.0}").parse().unwrap_or_default()
}
