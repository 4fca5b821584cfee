//! Messages of any type: decoded to something that encodes to the same bytes, or refused.

#![no_main]

use leyden_bolt::Message;
use leyden_bolt::gossip::{Address, Graph, answer_ids};
use leyden_bolt::message::{ChannelMessage, GossipMessage};
use leyden_bolt::onion::OnionMessage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::decode(bytes) else { return };
    let again = message.encode();
    assert_eq!(Message::decode(&again).as_ref(), Ok(&message));
    let Message::Unknown { msg_type, payload } = message else { return };
    assert_eq!(again, bytes);
    if let Some(Ok(message)) = ChannelMessage::decode(msg_type, &payload) {
        assert_eq!(message.encode(), bytes);
    }
    if let Some(Ok(message)) = GossipMessage::decode(msg_type, &payload) {
        assert_eq!(message.encode(), bytes);
        match message {
            GossipMessage::QueryShortChannelIds(query) => drop(answer_ids(&Graph::default(), &query)),
            GossipMessage::NodeAnnouncement(node) => drop(Address::decode_all(&node.addresses)),
            _ => {}
        }
    }
    if let Ok(message) = OnionMessage::decode(&payload) {
        assert!(payload.starts_with(&message.encode()[2..]));
    }
});
