//! `signmessage`, `checkmessage`, `makesecret`, `listnodes`. What is expected here was answered by lightningd v26.06.6.

use crate::peer::key;
use crate::rumours::{id, informed};
use crate::running::RunningNode;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::{self, SecretKey};
use serde_json::json;

const INVALID_PARAMS: i64 = -32602;

/// A message that another node has signed, and its key.
const SIGNED: (&str, &str, &str) = (
    r"hello\n",
    "dh5jomgue1qzrk7ajskwsegwg86d6cwxi34ssdzgg8deno8ape7khgcxgz51j94j41xr4gsxyycjjuquiusmt7n7drgh4famguk3o47g",
    "02a6fe1f2d2bda91e7d396d739fe02de1e89ed0d0f920d4e999397746802f08f9a",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_signed_and_checked() {
    let mut node = RunningNode::start().await;
    let signed = node.ok("signmessage", json!(["hello"])).await;
    let id = node.id.clone();
    let checked = node.ok("checkmessage", json!(["hello", signed["zbase"], id])).await;
    assert_eq!(checked, json!({ "pubkey": id, "verified": true }));
    let other = node.ok("checkmessage", json!(["hullo", signed["zbase"], id])).await;
    assert_eq!(other["verified"], false);
    assert_ne!(other["pubkey"], json!(id));
    let long = "x".repeat(65_536);
    let error = node.error("signmessage", json!([long])).await;
    assert_eq!(error, (INVALID_PARAMS, "Message must be < 64k".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_lightningd_is_understood() {
    let mut node = RunningNode::start().await;
    let (_, zbase, key) = SIGNED;
    let checked =
        node.ok("checkmessage", json!({ "message": "hello\n", "zbase": zbase, "pubkey": key })).await;
    assert_eq!(checked, json!({ "pubkey": key, "verified": true }));
    let unknown = (1301, "pubkey not found in the graph".to_owned());
    assert_eq!(node.error("checkmessage", json!(["hello\n", zbase])).await, unknown);
    let data = node.error_data("checkmessage", json!(["hello\n", zbase])).await;
    assert_eq!(data, json!({ "claimed_key": key }));
}

/// A message signed with a key, as `signmessage` of its node writes it.
fn signed(message: &str, key: &SecretKey) -> String {
    let digits = "ybndrfg8ejkmcpqxot1uwisza345h769".as_bytes();
    let digest = sha256d::Hash::hash(format!("Lightning Signed Message:{message}").as_bytes());
    let digest = secp256k1::Message::from_digest(digest.to_byte_array());
    let signature = secp256k1::Secp256k1::signing_only().sign_ecdsa_recoverable(&digest, key);
    let (recovery, signature) = signature.serialize_compact();
    let first = 31 + u8::try_from(recovery.to_i32()).expect("a recovery id is below 4");
    let bits: Vec<u8> = std::iter::once(first)
        .chain(signature)
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let digit = |bits: &[u8]| bits.iter().fold(0, |digit, bit| digit << 1 | usize::from(*bit));
    bits.chunks(5).map(|bits| char::from(digits[digit(bits)])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_the_graph_is_taken_at_its_word() {
    let (mut node, _teller) = informed().await;
    let known = node.ok("checkmessage", json!(["hello", signed("hello", &key(1))])).await;
    assert_eq!(known, json!({ "pubkey": id(1).to_string(), "verified": true }));
    let unknown = (1301, "pubkey not found in the graph".to_owned());
    assert_eq!(node.error("checkmessage", json!(["hello", signed("hello", &key(99))])).await, unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_signature_is_refused() {
    let mut node = RunningNode::start().await;
    let zbase = SIGNED.1;
    for (params, text) in [
        (json!(["x"]), "missing required parameter: zbase"),
        (json!(["x", "y"]), "zbase is not valid zbase32"),
        (json!(["x", "ybndrfg8"]), "zbase is too short"),
        (json!(["x", format!("{zbase}yyyyyyyy")]), "zbase is too long"),
        // Here lightningd v26.06.6 aborts.
        (json!(["x", "9".repeat(104)]), "cannot parse zbase signature"),
        (json!(["x", zbase, "zz"]), "pubkey: should be a compressed pubkey: invalid token '\"zz\"'"),
    ] {
        assert_eq!(node.error("checkmessage", params).await, (INVALID_PARAMS, text.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_made_of_the_node_s_own() {
    let mut node = RunningNode::start().await;
    let from_string = node.ok("makesecret", json!({ "string": "foo" })).await;
    assert_eq!(node.ok("makesecret", json!(["666f6f"])).await, from_string);
    assert_ne!(node.ok("makesecret", json!({ "string": "" })).await, from_string);
    for (params, text) in [
        (json!({ "hex": "00", "string": "a" }), "Cannot have both hex and string"),
        (json!({ "hex": "zz" }), "Must have either hex or string"),
        (json!([]), "Must have either hex or string"),
    ] {
        assert_eq!(node.error("makesecret", params).await, (INVALID_PARAMS, text.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_node_is_known_by_gossip() {
    let mut node = RunningNode::start().await;
    let nobody = json!({ "nodes": [] });
    assert_eq!(node.ok("listnodes", json!([])).await, nobody);
    assert_eq!(node.ok("listnodes", json!([SIGNED.2])).await, nobody);
    let text = "id: should be a node id: invalid token '\"x\"'";
    assert_eq!(node.error("listnodes", json!(["x"])).await, (INVALID_PARAMS, text.to_owned()));
}
