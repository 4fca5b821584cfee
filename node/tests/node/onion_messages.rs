//! Onion messages between a node and peers that the tests play. What is expected here was said by lightningd v26.06.6.

use crate::peer::{Peer, key};
use crate::running::RunningNode;
use bitcoin::secp256k1::{PublicKey, Secp256k1};
use leyden_bolt::Message;
use leyden_bolt::onion::message::Arrived;
use leyden_bolt::onion::{BlindedPath, MessagePayload, OnionMessage, RecipientData};
use serde_json::json;

const LIGHTNINGD: i64 = -1;
const INVALID_PARAMS: i64 = -32602;

/// Numbers of peers.
const SENDER: u8 = 31;
const RECEIVER: u8 = 32;
const ABSENT: u8 = 33;

fn id(number: u8) -> PublicKey {
    key(number).public_key(&Secp256k1::new())
}

/// A message through the node to somebody of whom it is told so.
fn through(node: &RunningNode, told: RecipientData, to: u8) -> OnionMessage {
    let first = node.id.parse().expect("a node id");
    let path = BlindedPath::create(&key(1), &[(first, told), (id(to), RecipientData::default())]);
    let said = MessagePayload { invoice: Some(b"said".to_vec()), ..MessagePayload::default() };
    OnionMessage::create(&key(2), &path, &said).expect("it fits")
}

/// A sender and a receiver. The receiver has been answered: the node knows it.
async fn two_peers(node: &RunningNode) -> (Peer, Peer) {
    let (sender, mut receiver) = (node.peer(SENDER).await, node.peer(RECEIVER).await);
    receiver.heard().await;
    (sender, receiver)
}

/// The onion messages that a peer has got, and the warnings.
async fn heard(peer: &mut Peer) -> (Vec<OnionMessage>, Vec<String>) {
    let (mut onions, mut warnings) = (Vec::new(), Vec::new());
    for message in peer.heard().await {
        match Message::decode(&message).expect("the node sends good messages") {
            Message::Unknown { msg_type: OnionMessage::TYPE, payload } => {
                onions.push(OnionMessage::decode(&payload).expect("a good one"));
            }
            Message::Warning { data, .. } => warnings.push(String::from_utf8(data).expect("text")),
            _ => {}
        }
    }
    (onions, warnings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_handed_on_to_the_peer_that_it_names() {
    let mut node = RunningNode::start().await;
    let (mut sender, mut receiver) = two_peers(&node).await;
    let message = through(&node, RecipientData::towards(id(RECEIVER)), RECEIVER);
    sender.send(&message.encode()).await;
    // The node has handed it on when it answers who sent it.
    assert_eq!(heard(&mut sender).await, (vec![], vec![]));
    let injected = json!([message.path_key.to_string(), hex::encode(message.packet.as_bytes())]);
    assert_eq!(node.ok("injectonionmessage", injected).await, json!({}));
    let (got, _) = heard(&mut receiver).await;
    assert_eq!(got.len(), 2, "the peer's and the injected");
    for message in got {
        let Ok(Arrived::Here { path_id: None, payload }) = message.peel(&key(RECEIVER)) else {
            panic!("it is for the receiver")
        };
        assert_eq!(payload.invoice.as_deref(), Some(&b"said"[..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_injected_and_goes_nowhere_is_refused() {
    let mut node = RunningNode::start().await;
    let injected = |message: &OnionMessage| json!({ "path_key": message.path_key.to_string(), "message": hex::encode(message.packet.as_bytes()) });
    let absent = injected(&through(&node, RecipientData::towards(id(ABSENT)), ABSENT));
    let why = format!("onion msg: unknown next peer {}", id(ABSENT));
    assert_eq!(node.error("injectonionmessage", absent).await, (LIGHTNINGD, why));
    let channel = "103x1x0".parse().expect("a short channel id");
    let unknown = injected(&through(&node, RecipientData::through(channel), ABSENT));
    let why = "onion msg: unknown next scid 103x1x0".to_owned();
    assert_eq!(node.error("injectonionmessage", unknown).await, (LIGHTNINGD, why));
    let path_key = id(1).to_string();
    for (params, code, text) in [
        (json!([path_key]), INVALID_PARAMS, "missing required parameter: message"),
        (
            json!(["02", "00"]),
            INVALID_PARAMS,
            "path_key: should be a compressed pubkey: invalid token '\"02\"'",
        ),
        (json!([path_key, "00".repeat(65536)]), INVALID_PARAMS, "onion message too long"),
        (
            json!([path_key, "01"]),
            LIGHTNINGD,
            "onion_message_parse: can't parse onionpacket: WIRE_INVALID_ONION_VERSION",
        ),
    ] {
        assert_eq!(node.error("injectonionmessage", params).await, (code, text.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_may_send_four_messages_a_second() {
    let node = RunningNode::start().await;
    let (mut sender, mut receiver) = two_peers(&node).await;
    let message = through(&node, RecipientData::towards(id(RECEIVER)), RECEIVER).encode();
    for (times, handed_on, warnings) in
        [(6, 4, vec!["Ratelimited onion_message: exceeded one per 250msec".to_owned()]), (6, 4, vec![])]
    {
        for _ in 0..times {
            sender.send(&message).await;
        }
        assert_eq!(heard(&mut sender).await, (vec![], warnings), "one warning is enough");
        assert_eq!(heard(&mut receiver).await.0.len(), handed_on);
        node.pass(60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_cut_off_is_complained_of() {
    let node = RunningNode::start().await;
    let mut sender = node.peer(SENDER).await;
    let message = through(&node, RecipientData::towards(id(RECEIVER)), RECEIVER).encode();
    sender.send(&message[..100]).await;
    assert_eq!(heard(&mut sender).await, (vec![], vec!["Bad onion_message".to_owned()]));
}
