//! Channels between two nodes over loopback, on a chain in memory: opened, taken up again, closed.

use crate::chain::Chain;
use crate::running::{DEADLINE, NOW, RunningNode};
use bitcoin::{ScriptBuf, Transaction};
use serde_json::{Value, json};

/// A failure without a code of its own.
const LIGHTNINGD: i64 = -1;

/// Two nodes on one chain. The first has coins.
pub(crate) struct Pair {
    pub(crate) l1: RunningNode,
    pub(crate) l2: RunningNode,
    pub(crate) chain: Chain,
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let chain = Chain::new();
        let mut l1 = RunningNode::start_numbered(1, chain.clone()).await;
        let l2 = RunningNode::start_numbered(2, chain.clone()).await;
        l1.fund(&[10_000_000]).await;
        let mut pair = Self { l1, l2, chain };
        pair.connect().await;
        pair
    }

    async fn connect(&mut self) {
        let l2 = format!("{}@127.0.0.1:{}", self.l2.id, self.l2.port);
        self.l1.ok("connect", json!([l2])).await;
    }

    /// A channel of a million sat, of which the second has a fifth; its funding is in no block.
    async fn open(&mut self) -> Value {
        let params = json!({ "id": self.l2.id, "amount": 1_000_000, "push_msat": 200_000_000 });
        self.l1.ok("fundchannel", params).await
    }

    /// Mines what was sent, and lets both see it.
    pub(crate) async fn mine_sent(&mut self) {
        let mut once: Vec<Transaction> = Vec::new();
        for tx in self.chain.sent() {
            let is_known = self.chain.contains(&tx.compute_txid());
            if !is_known && !once.contains(&tx) {
                once.push(tx);
            }
        }
        self.chain.mine(&ScriptBuf::new(), &once);
        self.l1.follow().await;
        self.l2.follow().await;
    }

    /// Waits until the one channel of both is in this state.
    async fn both_are(&mut self, state: &str) {
        for node in [&mut self.l1, &mut self.l2] {
            node.channel_is(state).await;
        }
    }
}

impl RunningNode {
    pub(crate) async fn channel(&mut self) -> Value {
        self.ok("listpeerchannels", json!({})).await["channels"][0].take()
    }

    /// Waits until the one channel is in this state, and its peer there if that is needed.
    pub(crate) async fn channel_is(&mut self, state: &str) {
        self.channel_where(state, |channel| channel["state"] == state).await;
    }

    /// Waits until the one channel is as it is to be.
    pub(crate) async fn channel_where(&mut self, wanted: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let channel = self.channel().await;
            if is(&channel) {
                return channel;
            }
            assert!(std::time::Instant::now() < deadline, "expected {wanted}, got {channel:#}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_opened_and_closed_by_agreement() {
    let mut pair = Pair::start().await;
    let funded = pair.open().await;
    assert_eq!(funded["channel_type"]["names"], json!(["static_remotekey/even", "anchors/even"]));
    pair.both_are("CHANNELD_AWAITING_LOCKIN").await;
    pair.mine_sent().await;
    pair.both_are("CHANNELD_NORMAL").await;

    let (ours, theirs) = (pair.l1.channel().await, pair.l2.channel().await);
    assert_eq!(ours["to_us_msat"], 800_000_000);
    assert_eq!(theirs["to_us_msat"], 200_000_000);
    assert_eq!(ours["spendable_msat"], theirs["receivable_msat"]);
    assert_eq!(ours["receivable_msat"], theirs["spendable_msat"]);
    assert_eq!(ours["short_channel_id"], theirs["short_channel_id"]);
    assert_eq!(ours["alias"]["local"], theirs["alias"]["remote"]);
    assert_eq!(ours["funding_txid"], funded["txid"]);
    assert_eq!((&ours["opener"], &theirs["opener"]), (&json!("local"), &json!("remote")));

    let closed = pair.l1.ok("close", json!([pair.l2.id])).await;
    assert_eq!(closed["type"], "mutual");
    pair.both_are("CLOSINGD_COMPLETE").await;
    pair.mine_sent().await;
    let outputs = pair.l2.ok("listfunds", json!({})).await["outputs"].take();
    assert_eq!(outputs[0]["amount_msat"], 200_000_000, "{outputs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_taken_up_again_in_each_of_its_states() {
    let mut pair = Pair::start().await;
    pair.open().await;
    let Pair { l1, l2, chain } = pair;
    let mut pair = Pair { l1: l1.stop_and_restart().await, l2: l2.stop_and_restart().await, chain };
    pair.both_are("CHANNELD_AWAITING_LOCKIN").await;
    pair.connect().await;
    pair.mine_sent().await;
    pair.both_are("CHANNELD_NORMAL").await;
    let before = (pair.l1.channel().await, pair.l2.channel().await);

    let Pair { l1, l2, chain } = pair;
    let mut pair = Pair { l1: l1.stop_and_restart().await, l2: l2.stop_and_restart().await, chain };
    pair.connect().await;
    pair.both_are("CHANNELD_NORMAL").await;
    for (was, mut is) in [(before.0, pair.l1.channel().await), (before.1, pair.l2.channel().await)] {
        // The two may not have said yet where they left off, or may have told each other more.
        let said = ["reestablished", "status", "updates"];
        // And the opener brings the fee rate up to date.
        let paid = ["feerate", "last_tx_fee_msat", "scratch_txid", "spendable_msat", "receivable_msat"];
        for member in said.into_iter().chain(paid) {
            is[member] = was[member].clone();
        }
        assert_eq!(was, is);
    }

    pair.l1.ok("disconnect", json!([pair.l2.id, true])).await;
    let mut asking = pair.l1.connect().await;
    let close = json!({ "jsonrpc": "2.0", "id": 1, "method": "close", "params": [pair.l2.id] });
    asking.send(close.to_string()).await;
    pair.l1.channel_is("CHANNELD_SHUTTING_DOWN").await;
    let Pair { l1, l2, chain } = pair;
    let mut pair = Pair { l1: l1.stop_and_restart().await, l2, chain };
    pair.l1.channel_is("CHANNELD_SHUTTING_DOWN").await;
    pair.connect().await;
    pair.both_are("CLOSINGD_COMPLETE").await;

    let Pair { l1, l2, chain } = pair;
    let mut pair = Pair { l1: l1.stop_and_restart().await, l2: l2.stop_and_restart().await, chain };
    pair.both_are("CLOSINGD_COMPLETE").await;
    pair.mine_sent().await;
    assert_eq!(pair.l1.channel().await["closer"], "local");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_goes_to_the_chain_on_both_sides() {
    let mut pair = Pair::start().await;
    pair.open().await;
    pair.mine_sent().await;
    pair.both_are("CHANNELD_NORMAL").await;

    pair.l1.ok("dev-fail", json!([pair.l2.id])).await;
    pair.both_are("AWAITING_UNILATERAL").await;
    let sent = pair.chain.sent();
    let txid = pair.l1.channel().await["scratch_txid"].take();
    assert!(sent.iter().any(|tx| json!(tx.compute_txid().to_string()) == txid), "{sent:?}");
    let changes = pair.l2.channel().await["state_changes"].take();
    let last = changes.as_array().and_then(|changes| changes.last()).expect("it was normal before");
    assert_eq!(last["cause"], "protocol", "{changes}");
    let message = last["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("channeld: received ERROR channel "), "{changes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_in_steps_can_be_cancelled_until_its_funding_is_sent() {
    let mut pair = Pair::start().await;
    let l2 = pair.l2.id.clone();
    assert_eq!(
        pair.l1.error("fundchannel_cancel", json!([l2])).await,
        (307, format!("No channels being opened or awaiting lock-in for peer_id {l2}"))
    );
    let started = pair.l1.ok("fundchannel_start", json!([l2, 500_000])).await;
    let again = pair.l1.error("fundchannel_start", json!([l2, 500_000])).await;
    assert_eq!(again, (LIGHTNINGD, "Already funding channel".to_owned()));
    let cancelled = pair.l1.ok("fundchannel_cancel", json!([l2])).await;
    assert_eq!(cancelled, json!({ "cancelled": "Channel open canceled by RPC" }));

    let restarted = pair.l1.ok("fundchannel_start", json!([l2, 500_000])).await;
    assert_ne!(started["funding_address"], restarted["funding_address"]);
    let prepared = json!([[{ restarted["funding_address"].as_str().unwrap_or_default(): 500_000 }]]);
    let psbt = pair.l1.ok("txprepare", prepared).await["psbt"].take();
    let completed = pair.l1.ok("fundchannel_complete", json!([l2, psbt])).await;
    assert_eq!(completed["commitments_secured"], true);
    pair.both_are("CHANNELD_AWAITING_LOCKIN").await;
    pair.l1.ok("fundchannel_cancel", json!([l2])).await;
    let left = pair.l1.ok("listpeerchannels", json!({})).await;
    assert_eq!(left, json!({ "channels": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_funded_is_refused_in_lightningds_words() {
    let mut pair = Pair::start().await;
    let (l2, nobody) =
        (pair.l2.id.clone(), "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".to_owned());
    let mut refused = async |params: Value| pair.l1.error("fundchannel", params).await;
    let too_small = refused(json!([l2, 1000])).await;
    assert!(
        too_small.1.starts_with("Not opening because if they used the same setting as us"),
        "{too_small:?}"
    );
    assert_eq!(refused(json!([l2, 100_000_000])).await.0, 301);
    assert_eq!(refused(json!([nobody, 100_000])).await.0, 400);
    let pushed = refused(json!({ "id": l2, "amount": 100_000, "push_msat": 200_000_000 })).await;
    assert_eq!(pushed.0, 301, "{pushed:?}");
    let leased = refused(json!({ "id": l2, "amount": 100_000, "request_amt": 100_000 })).await;
    assert_eq!(leased.1, "Must pass in 'compact_lease' if requesting funds from peer");
    assert_eq!(pair.l1.error("fundchannel_start", json!([nobody, 100_000])).await.0, 306);
    let reserved: Vec<Value> = match pair.l1.ok("listfunds", json!({})).await["outputs"].take() {
        Value::Array(outputs) => outputs.into_iter().filter(|output| output["reserved"] == true).collect(),
        other => panic!("{other}"),
    };
    assert_eq!(reserved, Vec::<Value>::new(), "what was not used is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transaction_funds_channels_with_several_peers() {
    let mut pair = Pair::start().await;
    let l3 = RunningNode::start_numbered(3, pair.chain.clone()).await;
    let destinations = json!([
        { "id": pair.l2.id, "amount": 300_000, "announce": false },
        { "id": format!("{}@127.0.0.1:{}", l3.id, l3.port), "amount": "all" },
    ]);
    let funded = pair.l1.ok("multifundchannel", json!([destinations])).await;
    let channels = pair.l1.ok("listpeerchannels", json!({})).await["channels"].take();
    assert_eq!(funded["channel_ids"][0]["outnum"], 0);
    assert_eq!(funded["channel_ids"][1]["outnum"], 1);
    for (place, private) in [(0, true), (1, false)] {
        assert_eq!(channels[place]["funding_txid"], funded["txid"]);
        assert_eq!(channels[place]["channel_id"], funded["channel_ids"][place]["channel_id"]);
        assert_eq!(channels[place]["private"], private);
    }
    let total: u64 = (0..2).filter_map(|place| channels[place]["total_msat"].as_u64()).sum();
    assert!(total > 9_900_000_000, "{channels}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_of_a_channel_can_be_set() {
    let mut pair = Pair::start().await;
    pair.open().await;
    let set = json!({ "id": "all", "feebase": 7, "feeppm": 8, "htlcmin": 9, "htlcmax": "2000000sat" });
    let channel = pair.l1.ok("setchannel", set).await["channels"][0].take();
    assert_eq!((&channel["fee_base_msat"], &channel["fee_proportional_millionths"]), (&json!(7), &json!(8)));
    assert_eq!(channel["minimum_htlc_out_msat"], 9);
    assert_eq!(channel["maximum_htlc_out_msat"], 990_000_000);
    assert_eq!(
        channel["warning_htlcmax_too_high"],
        "Set maximum_htlc_out_msat to maximum possible in channel"
    );
    let restarted = pair.l1.stop_and_restart().await;
    let mut l1 = restarted;
    assert_eq!(l1.channel().await["updates"]["local"]["fee_base_msat"], 7);
    assert_eq!(l1.error("setchannel", json!(["1x1x1"])).await.1, "Short channel ID not found: '1x1x1'");
}

#[tokio::test(flavor = "multi_thread")]
async fn developers_set_a_feerate_and_have_htlcs_ignored() {
    let mut pair = Pair::start().await;
    let (l1, l2) = (pair.l1.id.clone(), pair.l2.id.clone());
    pair.open().await;
    let early = pair.l1.error("dev-feerate", json!([l2, 2000])).await;
    assert_eq!(early, (LIGHTNINGD, "Peer bad state".to_owned()));
    pair.mine_sent().await;
    pair.both_are("CHANNELD_NORMAL").await;
    assert_eq!(pair.l1.ok("dev-feerate", json!([l2, 2000])).await, json!({ "id": l2, "feerate": 2000 }));
    assert_eq!(pair.l2.ok("dev-ignore-htlcs", json!([l1, true])).await, json!({}));
    let nobody = pair.l2.error("dev-ignore-htlcs", json!([l2, true])).await;
    assert_eq!(nobody, (LIGHTNINGD, "Could not find channel with that peer".to_owned()));

    let scid = pair.l1.channel().await["short_channel_id"].take();
    let invoice = pair.l2.ok("invoice", json!([1000, "ignored", ""])).await;
    let route = json!([{ "id": l2, "channel": scid, "amount_msat": 1000, "delay": 9 }]);
    let (hash, secret) = (&invoice["payment_hash"], &invoice["payment_secret"]);
    pair.l1.ok("sendpay", json!({ "route": route, "payment_hash": hash, "payment_secret": secret })).await;
    let htlc = |channel: &Value| channel["htlcs"][0]["state"] == "RCVD_ADD_ACK_REVOCATION";
    let channel = pair.l2.channel_where("an HTLC", htlc).await;
    assert_eq!(channel["feerate"]["perkw"], 2000, "it was committed with the HTLC");
    let pending = pair.l1.error("waitsendpay", json!([hash, 0])).await;
    assert_eq!(pending, (200, "Timed out while waiting".to_owned()));
    assert!(htlc(&pair.l2.channel().await), "it stays where it is");
}

impl Pair {
    /// Two nodes with a channel in use, and its name.
    pub(crate) async fn with_channel() -> (Self, String) {
        let mut pair = Self::start().await;
        pair.open().await;
        pair.mine_sent().await;
        pair.both_are("CHANNELD_NORMAL").await;
        let scid = pair.l1.channel().await["short_channel_id"].as_str().unwrap_or_default().to_owned();
        (pair, scid)
    }

    /// Sends a part of what the second waits for, which is 300 sat in all, and waits until it is there.
    async fn send_part(&mut self, scid: &str, invoice: &Value, partid: u64, sat: u64) {
        let route = json!([{ "channel": scid, "id": self.l2.id, "amount_msat": sat * 1000, "delay": 20 }]);
        let params = json!({
            "route": route,
            "payment_hash": invoice["payment_hash"],
            "payment_secret": invoice["payment_secret"],
            "amount_msat": 300_000,
            "partid": partid,
            "groupid": 1,
        });
        self.l1.ok("sendpay", params).await;
    }

    /// How a part has ended: the code of the error and what it says of the failure.
    async fn part_failed(&mut self, invoice: &Value, partid: u64) -> (i64, Value) {
        let params = json!({
            "payment_hash": invoice["payment_hash"], "partid": partid, "groupid": 1, "timeout": 30
        });
        let data = self.l1.error_data("waitsendpay", params.clone()).await;
        (self.l1.error("waitsendpay", params).await.0, data["failcodename"].clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_payment_wait_seventy_seconds_for_each_other() {
    let (mut pair, scid) = Pair::with_channel().await;
    let invoice = pair.l2.ok("invoice", json!(["300sat", "label", "description"])).await;
    pair.send_part(&scid, &invoice, 1, 100).await;
    pair.l2.log_has("HTLC set contains 1 HTLCs, for a total of 100000msat out of 300000msat").await;
    pair.l2.pass(69);
    pair.send_part(&scid, &invoice, 2, 100).await;
    pair.l2.log_has("HTLC set contains 2 HTLCs, for a total of 200000msat out of 300000msat").await;
    pair.l2.pass(1);
    pair.l2.poke_chain();
    for partid in [1, 2] {
        assert_eq!(pair.part_failed(&invoice, partid).await, (204, json!("WIRE_MPP_TIMEOUT")));
    }
    // The next ones are a set of their own, with a time of its own.
    pair.send_part(&scid, &invoice, 3, 100).await;
    pair.l2.log_has("HTLC set contains 1 HTLCs, for a total of 100000msat out of 300000msat").await;
    pair.l2.pass(69);
    pair.send_part(&scid, &invoice, 4, 200).await;
    for partid in [3, 4] {
        let params = json!({ "payment_hash": invoice["payment_hash"], "partid": partid, "groupid": 1 });
        assert_eq!(pair.l1.ok("waitsendpay", params).await["status"], "complete");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_stable_after_a_minute() {
    let (mut pair, _) = Pair::with_channel().await;
    let stable = async |node: &mut RunningNode, seconds: u64| {
        node.pass(seconds);
        node.poke_chain();
        // What has passed is noticed before anything is answered.
        node.ok("getinfo", json!({})).await;
        node.channel().await["last_stable_connection"].take()
    };
    assert_eq!(stable(&mut pair.l1, 59).await, Value::Null);
    assert_eq!(stable(&mut pair.l1, 1).await, json!(NOW + 60));
    pair.l1.ok("disconnect", json!([pair.l2.id, true])).await;
    assert_eq!(stable(&mut pair.l1, 600).await, json!(NOW + 60), "it is not there now");
    let Pair { l1, l2: _l2, chain: _chain } = pair;
    let mut l1 = l1.stop_and_restart().await;
    assert_eq!(l1.channel().await["last_stable_connection"], json!(NOW + 60), "that is not forgotten");
}
