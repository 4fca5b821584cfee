//! The on-chain wallet: coins that come and go, PSBTs, reservations, and blocks that are no longer.

use leyden::{Mock, Net, Node, Result, Units};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::scenario::Scenario;

/// An address of nobody's.
const ELSEWHERE: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

pub(crate) fn wallet_withdraw() -> Scenario {
    let net = || {
        let ear = Mock::notification("coin_movement").expect(6).named("ear");
        Net::builder().nodes(["l1"]).mount("l1", ear)
    };
    Scenario::new("coins are received, sent and sent back, and a plugin hears of each movement", net, |net| {
        Box::pin(withdraw(net))
    })
    .golden("l1", "ear")
}

/// The members of an object, in order.
fn members(object: &Value) -> String {
    object.as_object().map_or(String::new(), |members| members.keys().cloned().collect::<Vec<_>>().join(" "))
}

async fn outputs(node: &Node) -> Result<Vec<Value>> {
    let mut funds = node.rpc("listfunds", json!({ "spent": true })).await?;
    Ok(funds["outputs"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

/// Mines what was sent, and waits until the node has seen it.
async fn mine(net: &Net, node: &Node) -> Result {
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    let height = net.bitcoind().block_count().await?;
    node.rpc("waitblockheight", json!([height])).await.map(drop)
}

async fn withdraw(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    let [deposit] = outputs(&l1).await?.try_into().expect("one output");
    let expected = "txid output amount_msat scriptpubkey address status blockheight reserved";
    assert_eq!(members(&deposit), expected);
    assert_eq!((&deposit["status"], &deposit["amount_msat"]), (&json!("confirmed"), &json!(1_000_000_000)));

    let sent = l1.rpc("withdraw", json!([ELSEWHERE, 300_000, "1000perkw"])).await?;
    assert_eq!(members(&sent), "tx txid psbt");
    let two = outputs(&l1).await?;
    let change = two.iter().find(|output| output["txid"] == sent["txid"]).expect("there is change");
    assert_eq!(
        members(change),
        "txid output amount_msat scriptpubkey address status reserved",
        "it is in no block"
    );
    let spent = two.iter().find(|output| output["txid"] == deposit["txid"]).expect("the old one is listed");
    assert_eq!((&spent["status"], &spent["reserved"]), (&json!("confirmed"), &json!(true)));
    let height = net.bitcoind().block_count().await?;
    assert_eq!(spent["reserved_to_block"], height + 2 * 72);
    mine(net, &l1).await?;
    let two = outputs(&l1).await?;
    let status = |txid: &Value| two.iter().find(|output| output["txid"] == *txid).map(|one| &one["status"]);
    assert_eq!(status(&deposit["txid"]), Some(&json!("spent")));
    assert_eq!(status(&sent["txid"]), Some(&json!("confirmed")));

    // Everything, to the wallet itself.
    let own = l1.rpc("newaddr", json!(["bech32"])).await?;
    let sent = l1.rpc("withdraw", json!({ "destination": own["bech32"], "satoshi": "all" })).await?;
    mine(net, &l1).await?;
    let unspent = l1.rpc("listfunds", json!([])).await?;
    assert_eq!(unspent["outputs"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&unspent["outputs"][0]["txid"], &unspent["outputs"][0]["address"]),
        (&sent["txid"], &own["bech32"])
    );
    heard(net, "l1", "ear", "coin_movement", 6).await?;

    let listed = l1.rpc("listtransactions", json!([])).await?;
    let listed = listed["transactions"].as_array().expect("a list");
    assert_eq!(listed.len(), 3);
    let expected = "hash rawtx blockheight txindex locktime version inputs outputs";
    assert_eq!(members(&listed[0]), expected);
    assert_eq!(members(&listed[1]["inputs"][0]), "txid index sequence");
    assert_eq!(members(&listed[1]["outputs"][0]), "index amount_msat scriptPubKey");
    let moves = l1.rpc("listchainmoves", json!({ "index": "created", "start": 3, "limit": 1 })).await?;
    let expected = "created_index account_id credit_msat debit_msat timestamp primary_tag extra_tags utxo \
                    spending_txid output_msat blockheight";
    assert_eq!(members(&moves["chainmoves"][0]), expected);
    Ok(())
}

pub(crate) fn wallet_psbts() -> Scenario {
    Scenario::new(
        "coins are chosen, reserved, signed for and sent by PSBT",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(use_psbts(net)),
    )
}

/// The code and the text of a request that is refused.
async fn refused(node: &Node, method: &str, params: Value) -> (i64, String) {
    let error = node.rpc(method, params).await.expect_err("it must be refused");
    (error.code(), error.headline().to_owned())
}

async fn use_psbts(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    let height = net.bitcoind().block_count().await?;
    let utxo = outputs(&l1).await?.remove(0);
    let utxo = format!("{}:{}", utxo["txid"].as_str().expect("a txid"), utxo["output"]);

    let funded = l1.rpc("fundpsbt", json!(["400000sat", "1000perkw", 172])).await?;
    let expected = "psbt feerate_per_kw estimated_final_weight excess_msat reservations";
    assert_eq!(members(&funded), expected);
    assert_eq!(funded["estimated_final_weight"], 172 + 271);
    assert_eq!(funded["excess_msat"], (1_000_000 - 400_000 - 172 - 271) * 1000);
    let reservation = json!([{
        "txid": utxo.split(':').next(),
        "vout": funded["reservations"][0]["vout"],
        "was_reserved": false,
        "reserved": true,
        "reserved_to_block": height + 72,
    }]);
    assert_eq!(funded["reservations"].to_string(), reservation.to_string());

    let more = l1.rpc("reserveinputs", json!([funded["psbt"], false, 8])).await?;
    assert_eq!(more["reservations"][0]["reserved_to_block"], height + 80);
    let less = l1.rpc("unreserveinputs", json!([funded["psbt"], 100])).await?;
    assert_eq!(members(&less["reservations"][0]), "txid vout was_reserved reserved");
    let with_change = json!({
        "satoshi": 400_000,
        "feerate": "slow",
        "startweight": 0,
        "utxos": [utxo],
        "excess_as_change": true,
    });
    let picked = l1.rpc("utxopsbt", with_change.clone()).await?;
    let expected = "psbt feerate_per_kw estimated_final_weight excess_msat change_outnum reservations";
    assert_eq!(members(&picked), expected);
    assert_eq!((&picked["excess_msat"], &picked["change_outnum"]), (&json!(0), &json!(0)));
    assert_eq!(picked["estimated_final_weight"], 271 + 172);

    let unknown = format!("{}:0", "01".repeat(32));
    for (method, params, code, text) in [
        ("utxopsbt", with_change, -32602, format!("UTXO {utxo} already reserved")),
        ("utxopsbt", json!([1, "slow", 0, [unknown]]), -32602, format!("Unknown UTXO {unknown}")),
        ("utxopsbt", json!([1, "slow", 0, ["x"]]), -32602, "Could not decode the outpoint from".to_owned()),
        ("reserveinputs", json!([picked["psbt"]]), -32602, format!("{utxo} already reserved")),
        ("fundpsbt", json!([400_000, "slow", 0]), 301, "using all 0 available UTXOs: ".to_owned()),
        ("fundpsbt", json!(["x", "slow", 0]), -32602, "satoshi: should be a satoshi amount".to_owned()),
        (
            "fundpsbt",
            json!([1, "fast", 0]),
            -32602,
            "'feerate' should be an integer with optional perkw/perkb, not 'fast'".to_owned(),
        ),
        ("signpsbt", json!(["x"]), -32602, "psbt: Expected a PSBT: invalid token".to_owned()),
        ("addpsbtoutput", json!([100]), 302, "Receive amount is below dust limit (546sat)".to_owned()),
        ("addpsbtinput", json!([0]), 314, "Cannot add input value of zero.".to_owned()),
        ("sendpsbt", json!([picked["psbt"]]), -1, "PSBT not finalizeable".to_owned()),
        ("txdiscard", json!(["01".repeat(32)]), -32602, "not an unreleased txid".to_owned()),
        ("txprepare", json!([[{ "x": 1 }]]), -32602, "Could not parse destination address".to_owned()),
        (
            "withdraw",
            json!(["x", 1]),
            -1,
            "Could not parse destination address, destination should be a valid address".to_owned(),
        ),
        ("multiwithdraw", json!([[{ ELSEWHERE: 100 }]]), 302, "Output 100sat would be dust.".to_owned()),
        ("multiwithdraw", json!([[]]), -32602, "'outputs' should be a non-empty array".to_owned()),
        ("listchainmoves", json!({ "start": 1 }), -32602, "Can only specify {start} with {index}".to_owned()),
    ] {
        let got = refused(&l1, method, params).await;
        assert!(got.0 == code && got.1.contains(&text), "{method}: {got:?}, and not {code} {text}");
    }
    l1.rpc("unreserveinputs", json!([picked["psbt"]])).await?;
    let (code, text) = refused(&l1, "signpsbt", json!([picked["psbt"]])).await;
    assert!(code == -1 && text.contains(&format!("UTXO {utxo} is not reserved")), "{text}");

    // What bitcoind does not take is not sent, and nothing stays reserved.
    let error = l1.rpc("withdraw", json!([ELSEWHERE, 100])).await.expect_err("it is dust");
    let text = error.to_string();
    let words = r"Error broadcasting transaction: error code: -26\\nerror message:\\ndust";
    assert!(error.code() == -1 && text.contains(words), "{text}");
    assert_eq!(outputs(&l1).await?[0]["reserved"], false);

    // Prepared, forgotten, prepared again and sent.
    let outputs = json!([[{ ELSEWHERE: 100_000 }], "1000perkw"]);
    let prepared = l1.rpc("txprepare", outputs.clone()).await?;
    assert_eq!(members(&prepared), "unsigned_tx txid psbt");
    let discarded = l1.rpc("txdiscard", json!([prepared["txid"]])).await?;
    assert_eq!(members(&discarded), "unsigned_tx txid");
    let prepared = l1.rpc("txprepare", outputs).await?;
    let sent = l1.rpc("txsend", json!([prepared["txid"]])).await?;
    assert_eq!((members(&sent).as_str(), &sent["txid"]), ("tx txid psbt", &prepared["txid"]));
    mine(net, &l1).await?;

    let many = json!({ "outputs": [{ ELSEWHERE: 100_000 }, { ELSEWHERE: "200000000msat" }] });
    let sent = l1.rpc("multiwithdraw", many).await?;
    assert_eq!(members(&sent), "tx txid");
    let listed = l1.rpc("listtransactions", json!([])).await?;
    let newest = &listed["transactions"][0];
    assert_eq!((&newest["hash"], &newest["blockheight"]), (&sent["txid"], &json!(0)));
    mine(net, &l1).await?;

    // The wallet pays for somebody's output.
    let base = l1.rpc("addpsbtoutput", json!({ "satoshi": 400_000, "destination": ELSEWHERE })).await?;
    assert_eq!(members(&base), "psbt estimated_added_weight outnum");
    let bare = json!({ "satoshi": 400_000, "min_feerate": "slow" });
    let joined = l1.rpc("addpsbtinput", bare).await?;
    let expected = "psbt appended_inputs estimated_added_weight excess_msat emergency_msat reservations";
    assert_eq!(members(&joined), expected);
    assert_eq!((&joined["appended_inputs"], &joined["estimated_added_weight"]), (&json!(1), &json!(230)));
    Ok(())
}

pub(crate) fn wallet_reorg() -> Scenario {
    Scenario::new(
        "coins in blocks that are no longer are unconfirmed, until they are in a block again",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(turn_back(net)),
    )
}

async fn turn_back(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    let bitcoind = net.bitcoind();
    let height = bitcoind.block_count().await?;
    bitcoind.generate_block(5).await?;
    l1.rpc("waitblockheight", json!([height + 5])).await?;
    bitcoind.simple_reorg(height, 1).await?;
    l1.rpc("waitblockheight", json!([height + 6])).await?;
    let [deposit] = outputs(&l1).await?.try_into().expect("one output");
    assert_eq!((&deposit["status"], &deposit["blockheight"]), (&json!("confirmed"), &json!(height + 1)));
    let listed = l1.rpc("listtransactions", json!([])).await?;
    assert_eq!(listed["transactions"][0]["blockheight"], height + 1);
    let moves = l1.rpc("listchainmoves", json!([])).await?;
    assert_eq!(moves["chainmoves"].as_array().map(Vec::len), Some(1), "nothing is told twice");
    Ok(())
}

pub(crate) fn psbt_versions() -> Scenario {
    Scenario::new(
        "PSBTs of version 2 are taken as those of version 0, and each can be made of the other",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(change_versions(net)),
    )
}

async fn change_versions(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    let params = json!({"satoshi": 0, "feerate": "1000perkw", "startweight": 1000, "excess_as_change": true});
    let funded = l1.rpc("fundpsbt", params).await?["psbt"].take();
    let in_version = async |psbt: &Value, version: u32| -> Result<Value> {
        Ok(l1.rpc("setpsbtversion", json!([psbt, version])).await?["psbt"].take())
    };
    let second = in_version(&funded, 2).await?;
    // It begins with the version of the transaction, and not with the transaction.
    assert!(second.as_str().is_some_and(|text| text.starts_with("cHNidP8BAgQCAAAAAQM")), "{second}");
    assert_eq!(in_version(&second, 0).await?, funded);
    assert_eq!(in_version(&second, 2).await?, second);
    let error = l1.rpc("setpsbtversion", json!([funded, 1])).await.expect_err("there is no version 1");
    assert!(error.code() == -32602 && error.headline().contains("Could not set PSBT version"), "{error}");

    let signed = l1.rpc("signpsbt", json!([second])).await?["signed_psbt"].take();
    assert_eq!(in_version(&signed, 2).await?, signed, "it stays in its version");
    let sent = l1.rpc("sendpsbt", json!([signed])).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    assert_eq!(sent["txid"].as_str().map(str::len), Some(64));
    Ok(())
}
