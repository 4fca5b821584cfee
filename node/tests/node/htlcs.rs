//! HTLCs between two of the messages that move them on: what is known of them, and what becomes of them, at such a moment.

use crate::channels::Pair;
use crate::running::{DEADLINE, RunningNode};
use bitcoin::{ScriptBuf, Transaction};
use leyden_node::host::Way;
use serde_json::{Value, json};

const HASHES: [&str; 2] = [
    "0101010101010101010101010101010101010101010101010101010101010101",
    "0202020202020202020202020202020202020202020202020202020202020202",
];

impl RunningNode {
    /// Sends what nobody waits for along channels, given by who is behind each and its name; the first hop first.
    async fn offer(&mut self, hash: &str, hops: &[(&str, &str)]) {
        let mut route = Vec::new();
        for (place, (id, channel)) in hops.iter().enumerate() {
            let left = hops.len() - 1 - place;
            route.push(json!({
                "id": id, "channel": channel, "amount_msat": 1_000_000 + 100 * left, "delay": 10 + 6 * left
            }));
        }
        let secret = "03".repeat(32);
        self.ok("sendpay", json!({ "route": route, "payment_hash": hash, "payment_secret": secret })).await;
    }

    /// The state of the one HTLC that `listpeerchannels` shows; null if it shows none.
    async fn htlc_state(&mut self) -> Value {
        self.channel().await["htlcs"][0]["state"].clone()
    }

    /// Asks until the answer is as it is to be.
    async fn answers(&mut self, method: &str, params: &Value, is: impl Fn(&Value) -> bool) {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let answer = self.ok(method, params.clone()).await;
            if is(&answer) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{method} {params}: {answer:#}");
            tokio::task::yield_now().await;
        }
    }

    async fn failure_of(&mut self, hash: &str) -> Value {
        self.error_data("waitsendpay", json!({ "payment_hash": hash, "timeout": 30 })).await["failcodename"]
            .take()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incoming_htlc_is_not_there_before_a_commitment_has_it() {
    let (Pair { mut l1, mut l2, .. }, scid) = Pair::with_channel().await;
    let receivable = l2.channel().await["receivable_msat"].take();
    l1.wire.hold(Way::Out, "commitment_signed");
    l1.offer(HASHES[0], &[(&l2.id, &scid)]).await;
    l2.log_has("peer_in WIRE_UPDATE_ADD_HTLC").await;
    assert_eq!(l1.htlc_state().await, "SENT_ADD_COMMIT");
    assert_eq!(
        (l2.htlc_state().await, l2.ok("listhtlcs", json!({})).await["htlcs"].take()),
        (Value::Null, json!([]))
    );
    assert_eq!(l2.channel().await["receivable_msat"], receivable);

    // The first commitment has it, but not for good: nobody is asked about it yet.
    l2.wire.hold(Way::Out, "commitment_signed");
    l1.wire.release(Way::Out, "commitment_signed");
    l1.log_has("peer_in WIRE_REVOKE_AND_ACK").await;
    assert_eq!(l2.htlc_state().await, "SENT_ADD_ACK_COMMIT");
    assert_ne!(l2.channel().await["receivable_msat"], receivable);
    assert_eq!(l2.channel().await["htlcs"][0].get("status"), None);
    assert_eq!(l1.error("waitsendpay", json!({ "payment_hash": HASHES[0], "timeout": 0 })).await.0, 200);

    l2.wire.release(Way::Out, "commitment_signed");
    assert_eq!(l1.failure_of(HASHES[0]).await, "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_lets_an_htlc_wait_for_half_a_minute_is_cut_off() {
    let (Pair { mut l1, l2, .. }, scid) = Pair::with_channel().await;
    l1.wire.hold(Way::In, "revoke_and_ack");
    for hash in HASHES {
        l1.offer(hash, &[(&l2.id, &scid)]).await;
    }
    let states = l1.channel().await["htlcs"].take();
    assert_eq!(
        (&states[0]["state"], &states[1]["state"]),
        (&json!("SENT_ADD_COMMIT"), &json!("SENT_ADD_HTLC"))
    );
    l1.pass(29);
    l1.poke_chain();
    assert_eq!(l1.channel().await["peer_connected"], true);
    l1.pass(1);
    l1.poke_chain();
    l1.log_has("Adding HTLC 1 too slow: killing connection").await;
    assert_eq!(l1.failure_of(HASHES[1]).await, "WIRE_TEMPORARY_CHANNEL_FAILURE");
    // The other one may be committed: it has to wait.
    let left = l1.channel().await["htlcs"].take();
    assert_eq!((left.as_array().map(Vec::len), &left[0]["state"]), (Some(1), &json!("SENT_ADD_COMMIT")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_the_end_of_its_channel_interrupts_is_handed_back() {
    let (mut pair, first) = Pair::with_channel().await;
    let mut l3 = RunningNode::start_numbered(3, pair.chain.clone()).await;
    l3.fund(&[10_000_000]).await;
    l3.ok("connect", json!([format!("{}@127.0.0.1:{}", pair.l2.id, pair.l2.port)])).await;
    let half = json!({ "id": pair.l2.id, "amount": 1_000_000, "push_msat": 500_000_000 });
    l3.ok("fundchannel", half).await;
    pair.mine_sent().await;
    l3.follow().await;
    l3.channel_is("CHANNELD_NORMAL").await;
    let second = l3.channel().await["short_channel_id"].as_str().unwrap_or_default().to_owned();
    let with_l3 = json!({ "short_channel_id": second });
    pair.l2
        .answers("listpeerchannels", &with_l3, |listed| listed["channels"][0]["state"] == "CHANNELD_NORMAL")
        .await;

    l3.wire.hold(Way::In, "revoke_and_ack");
    pair.l1.offer(HASHES[0], &[(&pair.l2.id, &first), (&l3.id, &second)]).await;
    l3.channel_where("an HTLC", |channel| channel["htlcs"][0]["state"] == "SENT_ADD_ACK_COMMIT").await;
    // It fails it, but still has a commitment with it that is not revoked.
    l3.wire.hold(Way::In, "commitment_signed");
    l3.wire.release(Way::In, "revoke_and_ack");
    pair.l2.answers("listforwards", &json!({}), |listed| listed["forwards"][0]["status"] == "failed").await;
    let waits = json!({ "payment_hash": HASHES[0], "timeout": 0 });
    assert_eq!(pair.l1.error("waitsendpay", waits).await.0, 200, "it is not certain yet");

    l3.ok("stop", json!({})).await;
    l3.exit().await;
    pair.l2.ok("dev-fail", json!([l3.id])).await;
    pair.mine_sent().await;
    for _ in 0..5 {
        pair.mine_sent().await;
    }
    assert_eq!(pair.l1.failure_of(HASHES[0]).await, "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
    assert_eq!(pair.l2.ok("listforwards", json!({})).await["forwards"][0]["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preimage_on_the_chain_pays_every_htlc_with_its_hash() {
    let (Pair { mut l1, mut l2, chain }, scid) = Pair::with_channel().await;
    let invoice = l2.ok("invoice", json!([90_000_000, "in parts", ""])).await;
    l2.wire.hold(Way::Out, "update_fulfill_htlc");
    for (partid, amount_msat) in [(1, 50_000_000), (2, 40_000_000)] {
        let route = json!([{ "channel": scid, "id": l2.id, "amount_msat": amount_msat, "delay": 20 }]);
        let params = json!({
            "route": route, "payment_hash": invoice["payment_hash"], "payment_secret": invoice["payment_secret"],
            "amount_msat": 90_000_000, "partid": partid, "groupid": 1,
        });
        l1.ok("sendpay", params).await;
    }
    l2.answers("listinvoices", &json!({}), |listed| listed["invoices"][0]["status"] == "paid").await;
    l2.ok("stop", json!({})).await;
    l2.exit().await;
    l1.ok("dev-fail", json!([l2.id])).await;
    let mut pair = Pair { l1, l2: l2.restart().await, chain };
    pair.mine_sent().await;
    // Of the transactions with which the payee takes them, one gets into a block.
    let shows_preimage =
        |tx: &Transaction| tx.input.iter().any(|input| input.witness.iter().any(|item| item.len() == 32));
    let deadline = std::time::Instant::now() + DEADLINE;
    let taken = loop {
        if let Some(tx) = pair.chain.sent().into_iter().find(shows_preimage) {
            break tx;
        }
        assert!(std::time::Instant::now() < deadline, "the payee takes nothing");
        tokio::task::yield_now().await;
    };
    pair.chain.mine(&ScriptBuf::new(), &[taken]);
    pair.l1.follow().await;
    for partid in [1, 2] {
        let params = json!({
            "payment_hash": invoice["payment_hash"], "partid": partid, "groupid": 1, "timeout": 30
        });
        assert_eq!(pair.l1.ok("waitsendpay", params).await["status"], "complete", "part {partid}");
    }
}
