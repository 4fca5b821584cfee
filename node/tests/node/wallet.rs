//! The wallet, on a chain in memory: what it finds there, what it spends, and what a reorganisation takes back.

use crate::chain::{REWARD_SAT, transaction};
use crate::running::{NOW, RunningNode};
use bitcoin::address::NetworkUnchecked;
use bitcoin::hashes::Hash;
use bitcoin::{Address, Amount, OutPoint, ScriptBuf, Transaction, TxOut, Txid};
use serde_json::{Value, json};

const INVALID_PARAMS: i64 = -32602;

/// Somebody else's.
pub(crate) const FOREIGN: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

fn script(address: &Value) -> ScriptBuf {
    let address: Address<NetworkUnchecked> =
        address.as_str().expect("an address is text").parse().expect("it is an address");
    address.assume_checked().script_pubkey()
}

/// A transaction that comes out of nowhere and pays this.
fn paying(script: &ScriptBuf, sat: u64, number: u32) -> Transaction {
    let spent = OutPoint { txid: Txid::all_zeros(), vout: number };
    let output = TxOut { value: Amount::from_sat(sat), script_pubkey: script.clone() };
    transaction(spent, vec![output], number)
}

impl RunningNode {
    /// Mines these to nobody.
    async fn mine(&mut self, transactions: &[Transaction]) {
        self.chain.mine(&ScriptBuf::new(), transactions);
        self.follow().await;
    }

    async fn address(&mut self, kind: &str) -> ScriptBuf {
        script(&self.ok("newaddr", json!([kind])).await[kind])
    }

    pub(crate) async fn outputs(&mut self) -> Vec<Value> {
        match self.ok("listfunds", json!({ "spent": true })).await["outputs"].take() {
            Value::Array(outputs) => outputs,
            other => panic!("{other}"),
        }
    }

    /// A wallet with an output of so many sat for each, confirmed once.
    pub(crate) async fn fund(&mut self, sats: &[u64]) -> Vec<Transaction> {
        let script = self.address("p2tr").await;
        let numbered = (1u32..).zip(sats);
        let transactions: Vec<Transaction> =
            numbered.map(|(number, sat)| paying(&script, *sat, number)).collect();
        self.mine(&transactions).await;
        transactions
    }
}

fn by_status<'a>(outputs: &'a [Value], status: &str) -> Vec<&'a Value> {
    outputs.iter().filter(|output| output["status"] == status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_cannot_be_read_yet_is_asked_for_again() {
    let mut node = RunningNode::start().await;
    node.chain.write_late();
    node.fund(&[10_000]).await;
    assert_eq!(node.outputs().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_to_both_kinds_of_address_are_found_and_told() {
    let mut node = RunningNode::start().await;
    let (bech32, p2tr) = (node.address("bech32").await, node.address("p2tr").await);
    let transactions =
        [paying(&bech32, 10_000, 1), paying(&p2tr, 20_000, 2), paying(&ScriptBuf::new(), 1, 3)];
    node.mine(&transactions).await;
    let expected = |index: usize, address: &ScriptBuf, sat: u64| {
        let tx = &transactions[index];
        json!({
            "txid": tx.compute_txid().to_string(),
            "output": 0,
            "amount_msat": sat * 1000,
            "scriptpubkey": address.to_hex_string(),
            "address": Address::from_script(address, bitcoin::Network::Regtest).expect("it has one").to_string(),
            "status": "confirmed",
            "blockheight": 1,
            "reserved": false,
        })
    };
    let outputs = node.outputs().await;
    for wanted in [expected(0, &bech32, 10_000), expected(1, &p2tr, 20_000)] {
        assert!(outputs.contains(&wanted), "{outputs:?}\n{wanted}");
    }
    assert_eq!(outputs.len(), 2);

    let moves = node.ok("listchainmoves", json!([])).await;
    let deposit = |index: u64, place: usize, sat: u64| {
        json!({
            "created_index": index,
            "account_id": "wallet",
            "credit_msat": sat * 1000,
            "debit_msat": 0,
            "timestamp": NOW,
            "primary_tag": "deposit",
            "extra_tags": [],
            "utxo": format!("{}:0", transactions[place].compute_txid()),
            "output_msat": sat * 1000,
            "blockheight": 1,
        })
    };
    let expected = json!({ "chainmoves": [deposit(1, 0, 10_000), deposit(2, 1, 20_000)] });
    assert_eq!(moves.to_string(), expected.to_string());
    let second = node.ok("listchainmoves", json!({ "index": "created", "start": 2 })).await;
    assert_eq!(second["chainmoves"], json!([deposit(2, 1, 20_000)]));
    let text = "Can only specify {limit} with {index}";
    let refused = node.error("listchainmoves", json!({ "limit": 1 })).await;
    assert_eq!(refused, (INVALID_PARAMS, text.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_spends_and_comes_back_as_change() {
    let mut node = RunningNode::start().await;
    let [deposit] = node.fund(&[100_000]).await.try_into().expect("one");
    let sent = node.ok("withdraw", json!([FOREIGN, 30_000, "1000perkw"])).await;
    let members: Vec<&String> = sent.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["tx", "txid", "psbt"]);
    let [tx] = node.chain.sent().try_into().expect("one was sent");
    assert_eq!(sent["txid"], tx.compute_txid().to_string());
    assert_eq!(tx.input[0].previous_output, OutPoint { txid: deposit.compute_txid(), vout: 0 });
    assert_eq!(
        tx.output[0],
        TxOut { value: Amount::from_sat(30_000), script_pubkey: script(&json!(FOREIGN)) }
    );
    let fee = 100_000 - tx.output.iter().map(|output| output.value.to_sat()).sum::<u64>();
    assert!(fee.abs_diff(tx.weight().to_wu()) <= 4, "{fee} for {}", tx.weight());

    let outputs = node.outputs().await;
    let [change] = by_status(&outputs, "unconfirmed")[..] else { panic!("{outputs:?}") };
    assert_eq!(change["amount_msat"], tx.output[1].value.to_sat() * 1000);
    let [spent] = by_status(&outputs, "confirmed")[..] else { panic!("{outputs:?}") };
    assert_eq!((&spent["reserved"], &spent["reserved_to_block"]), (&json!(true), &json!(1 + 2 * 72)));

    node.mine(std::slice::from_ref(&tx)).await;
    let outputs = node.outputs().await;
    assert_eq!((by_status(&outputs, "confirmed").len(), by_status(&outputs, "spent").len()), (1, 1));
    let listed = node.ok("listtransactions", json!([])).await["transactions"].take();
    let places: Vec<(&Value, &Value, &Value)> = listed
        .as_array()
        .into_iter()
        .flatten()
        .map(|tx| (&tx["hash"], &tx["blockheight"], &tx["txindex"]))
        .collect();
    let (first, second) = (json!(deposit.compute_txid().to_string()), json!(tx.compute_txid().to_string()));
    assert_eq!(places, [(&first, &json!(1), &json!(1)), (&second, &json!(2), &json!(1))]);

    let moves = node.ok("listchainmoves", json!([])).await["chainmoves"].take();
    let tags: Vec<(&str, &str)> = moves
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| Some((one["account_id"].as_str()?, one["primary_tag"].as_str()?)))
        .collect();
    let expected =
        [("wallet", "deposit"), ("external", "deposit"), ("wallet", "withdrawal"), ("wallet", "deposit")];
    assert_eq!(tags, expected);
    assert_eq!(moves[1]["originating_account"], "wallet");
    assert_eq!((&moves[2]["debit_msat"], &moves[2]["spending_txid"]), (&json!(100_000_000), &second));
}

#[tokio::test(flavor = "multi_thread")]
async fn six_blocks_are_undone_and_done_again() {
    let mut node = RunningNode::start().await;
    node.mine(&[]).await;
    let [deposit] = node.fund(&[100_000]).await.try_into().expect("one");
    node.ok("withdraw", json!([FOREIGN, 30_000])).await;
    let [tx] = node.chain.sent().try_into().expect("one was sent");
    node.mine(std::slice::from_ref(&tx)).await;
    for _ in 0..4 {
        node.mine(&[]).await;
    }
    let before = node.outputs().await;
    assert_eq!((by_status(&before, "confirmed").len(), by_status(&before, "spent").len()), (1, 1));

    // The deposit's block, the one of its spending and four more are no longer.
    node.chain.reorganise(6);
    node.follow().await;
    let outputs = node.outputs().await;
    assert_eq!(by_status(&outputs, "unconfirmed").len(), 2, "{outputs:?}");
    let spent = outputs.iter().find(|output| output["txid"] == deposit.compute_txid().to_string());
    assert_eq!(spent.map(|output| &output["reserved"]), Some(&json!(true)), "the transaction may come back");
    let listed = node.ok("listtransactions", json!([])).await["transactions"].take();
    assert!(listed.as_array().into_iter().flatten().all(|tx| tx["blockheight"] == 0), "{listed}");
    // It is sent again.
    node.chain.sent_times(2).await;
    let error = node.error("withdraw", json!([FOREIGN, 10_000])).await;
    assert_eq!(
        error,
        (301, "Could not afford 10000sat using all 0 available UTXOs: 10166sat short".to_owned())
    );

    let told = node.ok("listchainmoves", json!([])).await;
    node.mine(&[deposit, tx]).await;
    let outputs = node.outputs().await;
    assert_eq!((by_status(&outputs, "confirmed").len(), by_status(&outputs, "spent").len()), (1, 1));
    assert_eq!(node.ok("listchainmoves", json!([])).await, told, "nothing is told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_bitcoind_refuses_is_not_spent() {
    let mut node = RunningNode::start().await;
    node.fund(&[100_000]).await;
    node.chain.refuse("bad-txns");
    let (code, text) = node.error("withdraw", json!([FOREIGN, "all"])).await;
    assert_eq!(code, -1);
    let start = "Error broadcasting transaction: error code: -26\\nerror message:\\nbad-txns\\n. Unsent tx discarded 02";
    assert!(text.starts_with(start), "{text}");
    let outputs = node.outputs().await;
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0]["reserved"], false);
    let listed = node.ok("listtransactions", json!([])).await;
    assert_eq!(listed["transactions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_one_coinbases_ripen_and_are_spent_at_once() {
    let mut node = RunningNode::start().await;
    let script = node.address("bech32").await;
    for _ in 0..101 {
        node.chain.mine(&script, &[]);
    }
    node.follow().await;
    let outputs = node.outputs().await;
    assert_eq!((outputs.len(), by_status(&outputs, "immature").len()), (101, 99));
    for _ in 0..99 {
        node.chain.mine(&ScriptBuf::new(), &[]);
    }
    node.follow().await;
    let outputs = node.outputs().await;
    assert_eq!(by_status(&outputs, "confirmed").len(), 101);
    node.ok("withdraw", json!([FOREIGN, "all"])).await;
    let [tx] = node.chain.sent().try_into().expect("one was sent");
    assert_eq!((tx.input.len(), tx.output.len()), (101, 1));
    assert!(tx.output[0].value.to_sat() > 101 * REWARD_SAT - 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_outlives_a_restart() {
    let mut node = RunningNode::start().await;
    node.fund(&[100_000, 50_000]).await;
    let later = node.address("bech32").await;
    node.ok("withdraw", json!([FOREIGN, 20_000])).await;
    let sent = node.chain.sent();
    node.mine(&sent).await;
    node.ok("fundpsbt", json!([40_000, "slow", 0])).await;
    let before = node.outputs().await;
    node.ok("stop", json!([])).await;
    node.exit().await;
    let mut node = node.restart().await;
    node.follow().await;
    assert_eq!(node.outputs().await, before);
    node.mine(&[paying(&later, 7_000, 9)]).await;
    let found = node.outputs().await;
    assert!(found.iter().any(|output| output["amount_msat"] == 7_000_000), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn feerates_have_names_units_and_times() {
    let mut node = RunningNode::start().await;
    for (text, perkw) in [
        ("253perkw", 253),
        ("4000perkb", 1000),
        ("4004", 1001),
        ("1perkw", 253),
        ("urgent", 1000),
        ("normal", 1000),
        ("slow", 1000),
        ("opening", 1000),
        ("6blocks", 1000),
        ("minimum", 253),
    ] {
        assert_eq!(node.ok("parsefeerate", json!([text])).await, json!({ "perkw": perkw }), "{text}");
    }
}
