//! What `fundchannel` and `close` can ask for: each parameter, by what comes of it.

use crate::channels::Pair;
use crate::running::RunningNode;
use bitcoin::{ScriptBuf, Transaction, Txid};
use serde_json::{Value, json};

const INVALID_PARAMS: i64 = -32602;

impl RunningNode {
    /// A new address of the wallet, as text and as a script.
    async fn destination(&mut self) -> (String, ScriptBuf) {
        let address = self.ok("newaddr", json!(["bech32"])).await["bech32"].take();
        let address = address.as_str().unwrap_or_default().to_owned();
        let script =
            address.parse::<bitcoin::Address<_>>().expect("it is one").assume_checked().script_pubkey();
        (address, script)
    }
}

impl Pair {
    /// Whether a transaction that was sent spends this one and pays to that script.
    fn was_sent(&self, spent: Txid, script: &ScriptBuf) -> bool {
        let spends = |tx: &Transaction| tx.input.iter().any(|input| input.previous_output.txid == spent);
        let pays = |tx: &Transaction| tx.output.iter().any(|output| output.script_pubkey == *script);
        self.chain.sent().iter().any(|tx| spends(tx) && pays(tx))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_funded_as_its_opener_asks() {
    let mut pair = Pair::start().await;
    for _ in 0..5 {
        pair.mine_sent().await;
    }
    let coin = pair.l1.fund(&[2_000_000]).await.remove(0).compute_txid();
    let (close_to, script) = pair.l1.destination().await;
    let early = json!({ "id": pair.l2.id, "amount": 10_500_000, "minconf": 3 });
    assert_eq!(pair.l1.error("fundchannel", early).await.0, 301, "the new coin is not that old");

    let asked = json!({
        "id": pair.l2.id, "amount": 1_000_000, "feerate": "1000perkw", "utxos": [format!("{coin}:0")],
        "mindepth": 3, "reserve": "20000sat", "channel_type": [12], "close_to": close_to,
    });
    let funded = pair.l1.ok("fundchannel", asked).await;
    assert_eq!(funded["channel_type"]["names"], json!(["static_remotekey/even"]));
    assert_eq!(funded["close_to"], script.to_hex_string());
    let funding =
        pair.chain.sent().into_iter().find(|tx| json!(tx.compute_txid().to_string()) == funded["txid"]);
    let funding = funding.expect("it was sent");
    let spent: Vec<_> = funding.input.iter().map(|input| input.previous_output.txid).collect();
    assert_eq!(spent, [coin], "and no other coin");
    let channel = pair.l1.channel().await;
    assert_eq!(
        (&channel["their_reserve_msat"], &channel["close_to_addr"]),
        (&json!(20_000_000), &json!(close_to))
    );

    pair.mine_sent().await;
    pair.mine_sent().await;
    assert_eq!(pair.l1.channel().await["state"], "CHANNELD_AWAITING_LOCKIN");
    pair.mine_sent().await;
    pair.l1.channel_is("CHANNELD_NORMAL").await;
    pair.l2.channel_is("CHANNELD_NORMAL").await;

    let (elsewhere, other) = pair.l1.destination().await;
    let refused = pair.l1.error("close", json!({ "id": pair.l2.id, "destination": elsewhere })).await;
    let expected =
        format!("Destination address {script:x} does not match previous shutdown script {other:x}");
    assert_eq!(refused, (INVALID_PARAMS, expected));
    assert_eq!(pair.l1.ok("close", json!([pair.l2.id])).await["type"], "mutual");
    assert!(pair.was_sent(funding.compute_txid(), &script));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_closed_as_whoever_closes_it_asks() {
    let (mut pair, _) = Pair::with_channel().await;
    let (destination, script) = pair.l2.destination().await;
    let close = |more: Value| {
        let mut params = json!({ "id": pair.l1.id });
        for (name, value) in more.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        params
    };
    let nowhere = format!("{}:0", "00".repeat(32));
    for (params, text) in [
        (json!({ "fee_negotiation_step": "0" }), "must be positive"),
        (json!({ "fee_negotiation_step": "101%" }), "the percentage should be between 1 and 100"),
        (json!({ "fee_negotiation_step": "half" }), "should be an integer or an integer followed by %"),
        (json!({ "feerange": ["2000perkw", "1000perkw"] }), "minimum must be less than or equal to maximum"),
        (json!({ "feerange": ["2000perkw"] }), "should be an array of 2 entries"),
        (
            json!({ "wrong_funding": nowhere }),
            "wrong_funding feature not negotiated (we said no, they said no",
        ),
    ] {
        let (code, message) = pair.l2.error("close", close(params)).await;
        assert!(code == INVALID_PARAMS && message.contains(text), "{text}: {code} {message}");
    }
    let params = close(json!({
        "destination": destination, "fee_negotiation_step": "50%", "feerange": ["253perkw", "100000perkw"],
    }));
    assert_eq!(pair.l2.ok("close", params).await["type"], "mutual");
    let channel = pair.l2.channel().await;
    let funding = channel["funding_txid"].as_str().unwrap_or_default().parse().expect("it is a txid");
    assert!(pair.was_sent(funding, &script));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_closed_before_it_is_a_channel() {
    let mut pair = Pair::start().await;
    pair.l1.ok("fundchannel_start", json!([pair.l2.id, 500_000])).await;
    assert_eq!(pair.l1.ok("close", json!([pair.l2.id])).await, json!({ "type": "unopened" }));
    let gone = pair.l1.error("close", json!([pair.l2.id])).await;
    assert_eq!(gone, (-1, "Peer has no active channel".to_owned()));
}
