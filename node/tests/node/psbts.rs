//! The wallet's inputs: chosen, reserved, given up, signed for, and sent at last.

use crate::running::RunningNode;
use crate::wallet::FOREIGN;
use bitcoin::hashes::Hash;
use bitcoin::{Psbt, Txid};
use serde_json::json;

const INVALID_PARAMS: i64 = -32602;

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_chosen_reserved_and_given_up() {
    let mut node = RunningNode::start().await;
    let deposits = node.fund(&[100_000, 50_000, 100]).await;
    let funded = node.ok("fundpsbt", json!(["120000sat", "1000perkw", 100])).await;
    let psbt: Psbt = funded["psbt"].as_str().expect("text").parse().expect("it is a PSBT");
    assert_eq!((psbt.inputs.len(), psbt.outputs.len()), (2, 0), "the smallest is not worth its fee");
    let weight = 100 + 2 * 230;
    let expected = json!({
        "psbt": funded["psbt"],
        "feerate_per_kw": 1000,
        "estimated_final_weight": weight,
        "excess_msat": (150_000 - 120_000 - weight) * 1000,
        "reservations": psbt.unsigned_tx.input.iter().map(|input| json!({
            "txid": input.previous_output.txid.to_string(),
            "vout": 0,
            "was_reserved": false,
            "reserved": true,
            "reserved_to_block": 73,
        })).collect::<Vec<_>>(),
    });
    assert_eq!(funded.to_string(), expected.to_string());

    let inputs = json!([funded["psbt"]]);
    let outpoint = psbt.unsigned_tx.input[0].previous_output;
    let (code, text) = node.error("reserveinputs", inputs.clone()).await;
    assert_eq!((code, text), (INVALID_PARAMS, format!("{outpoint} already reserved")));
    let more = node.ok("reserveinputs", json!([funded["psbt"], false, 10])).await;
    assert_eq!(more["reservations"][0]["reserved_to_block"], 83);
    let less = node.ok("unreserveinputs", json!([funded["psbt"], 20])).await;
    assert_eq!(less["reservations"][1]["reserved_to_block"], 63);
    let none = node.ok("unreserveinputs", inputs).await;
    assert_eq!(none["reservations"][0]["reserved"], false);
    let (code, text) = node.error("signpsbt", json!([funded["psbt"]])).await;
    assert_eq!((code, text), (-1, format!("Aborting PSBT signing. UTXO {outpoint} is not reserved")));

    let (first, foreign) = (deposits[0].compute_txid(), Txid::all_zeros());
    let utxos = |txid: Txid| json!([1000, "slow", 0, [format!("{txid}:0")]]);
    let picked = node.ok("utxopsbt", utxos(first)).await;
    assert_eq!(picked["excess_msat"], (100_000 - 1000 - 230) * 1000);
    for (method, params, code, text) in [
        ("utxopsbt", utxos(first), INVALID_PARAMS, format!("UTXO {first}:0 already reserved")),
        ("utxopsbt", utxos(foreign), INVALID_PARAMS, format!("Unknown UTXO {foreign}:0")),
        (
            "fundpsbt",
            json!([60_000, "1000perkw", 0]),
            301,
            "Could not afford 60000sat using all 1 available UTXOs: 10230sat short".to_owned(),
        ),
        (
            "fundpsbt",
            json!(["x", "slow", 0]),
            INVALID_PARAMS,
            "satoshi: should be a satoshi amount: invalid token '\"x\"'".to_owned(),
        ),
        (
            "fundpsbt",
            json!([1, "fast", 0]),
            INVALID_PARAMS,
            "'feerate' should be an integer with optional perkw/perkb, not 'fast'".to_owned(),
        ),
        (
            "sendpsbt",
            json!(["nope"]),
            INVALID_PARAMS,
            "psbt: Expected a PSBT: invalid token '\"nope\"'".to_owned(),
        ),
        (
            "withdraw",
            json!(["nope", "all"]),
            -1,
            "Could not parse destination address, destination should be a valid address".to_owned(),
        ),
        (
            "txsend",
            json!([foreign.to_string()]),
            INVALID_PARAMS,
            format!("not an unreleased txid '{foreign}'"),
        ),
    ] {
        assert_eq!(node.error(method, params).await, (code, text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_prepared_and_sent_or_forgotten() {
    let mut node = RunningNode::start().await;
    node.fund(&[100_000]).await;
    let outputs = json!([[{ FOREIGN: 20_000 }, { FOREIGN: "all" }]]);
    let prepared = node.ok("txprepare", outputs.clone()).await;
    assert_eq!(node.outputs().await[0]["reserved"], true);
    let discarded = node.ok("txdiscard", json!([prepared["txid"]])).await;
    let expected = json!({ "unsigned_tx": prepared["unsigned_tx"], "txid": prepared["txid"] });
    assert_eq!(discarded, expected);
    assert_eq!(node.outputs().await[0]["reserved"], false);

    let prepared = node.ok("txprepare", outputs).await;
    let sent = node.ok("txsend", json!([prepared["txid"]])).await;
    assert_eq!(sent["txid"], prepared["txid"]);
    let [tx] = node.chain.sent().try_into().expect("one was sent");
    assert_eq!((tx.output.len(), tx.output[0].value.to_sat()), (2, 20_000));
    let moves = node.ok("listchainmoves", json!([])).await;
    assert_eq!(
        moves["chainmoves"].as_array().map(Vec::len),
        Some(1),
        "only of addresses that are nobody's it is said"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_psbt_of_somebody_is_joined_signed_and_sent() {
    let mut node = RunningNode::start().await;
    node.fund(&[100_000]).await;
    let with_output = node.ok("addpsbtoutput", json!({ "satoshi": 90_000, "destination": FOREIGN })).await;
    assert_eq!((&with_output["estimated_added_weight"], &with_output["outnum"]), (&json!(172), &json!(0)));
    let joined =
        node.ok("addpsbtinput", json!({ "satoshi": 90_000, "initialpsbt": with_output["psbt"] })).await;
    assert_eq!((&joined["appended_inputs"], &joined["excess_msat"]), (&json!(1), &json!(10_000_000)));
    let signed = node.ok("signpsbt", json!([joined["psbt"]])).await;
    let sent = node.ok("sendpsbt", json!([signed["signed_psbt"]])).await;
    let members: Vec<&String> = sent.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["tx", "txid"]);
    assert_eq!(node.chain.sent()[0].output[0].value.to_sat(), 90_000);
}
