//! Messages of types that lightningd keeps to itself: no client sends them, and no plugin sees them.

use crate::peer::Peer;
use crate::running::RunningNode;
use bitcoin::secp256k1::Secp256k1;
use leyden_bolt::{ChannelId, Message};
use serde_json::json;

const INVALID_REQUEST: i64 = -32600;

#[tokio::test(flavor = "multi_thread")]
async fn only_messages_for_plugins_can_be_sent() {
    let mut node = RunningNode::start().await;
    let mut peer = node.peer(9).await;
    let id = crate::peer::key(9).public_key(&Secp256k1::signing_only()).to_string();
    for (message, name) in [
        ("0001", "1 (WIRE_WARNING)"),
        ("0002", "2 (WIRE_STFU)"),
        ("0020", "32 (WIRE_OPEN_CHANNEL)"),
        ("0080", "128 (WIRE_UPDATE_ADD_HTLC)"),
        ("0109", "265 (WIRE_GOSSIP_TIMESTAMP_FILTER)"),
        ("0201", "513 (WIRE_ONION_MESSAGE)"),
    ] {
        let text = format!(
            "Cannot send messages of type {name}. It is not possible to send messages that have a type managed internally since that \
             might cause issues with the internal state tracking."
        );
        let refused = node.error("sendcustommsg", json!([id, message])).await;
        assert_eq!(refused, (INVALID_REQUEST, text));
    }
    // Peers' storage is a plugin's.
    node.ok("sendcustommsg", json!([id, "000700"])).await;
    assert!(peer.heard().await.contains(&vec![0, 7, 0]));
}

/// What the node says to a message before it hangs up.
async fn answer(node: &RunningNode, message: &[u8]) -> Message {
    let mut peer: Peer = node.peer(9).await;
    peer.heard().await;
    peer.send(message).await;
    loop {
        let answer = Message::decode(&peer.next().await).expect("the node speaks BOLT 1");
        if matches!(answer, Message::Error { .. } | Message::Warning { .. }) {
            return answer;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lightningd_keeps_to_itself_is_refused_and_not_passed_on() {
    let node = RunningNode::start().await;
    let error =
        |text: &str| Message::Error { channel_id: ChannelId([7; 32]), data: text.as_bytes().to_vec() };
    let with = |msg_type: u8, payload: &[u8]| [&[0, msg_type], payload].concat();
    // Odd ones too, which anybody else may ignore.
    for (number, name) in [(2, "STFU"), (41, "CLOSING_SIG"), (65, "ACCEPT_CHANNEL2"), (77, "SPLICE_LOCKED")] {
        let expected = error(&format!("Unknown channel for WIRE_{name}"));
        assert_eq!(answer(&node, &with(number, &[7; 40])).await, expected);
    }
    let expected = error("Didn't negotiate OPT_DUAL_FUND: cannot use open_channel2");
    assert_eq!(answer(&node, &with(64, &[[1; 32], [7; 32]].concat())).await, expected);
    for (message, text) in [
        (with(0, &[7; 3]), "Unexpected message WIRE_PROTOCOL_BATCH_ELEMENT: 0000070707"),
        (with(77, &[]), "Unexpected message WIRE_SPLICE_LOCKED: 004d"),
    ] {
        let expected = Message::Warning { channel_id: ChannelId::ALL, data: text.as_bytes().to_vec() };
        assert_eq!(answer(&node, &message).await, expected);
    }
}
