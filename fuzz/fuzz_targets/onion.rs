//! Onions of payments, of messages and of failures. The key of the hop is known, so that changes of a good onion get past its MAC at times.

#![no_main]

use bitcoin::secp256k1::{Secp256k1, SecretKey};
use leyden_bolt::onion::message::Arrived;
use leyden_bolt::onion::{
    BlindedPath, FailureOnion, MessagePayload, OnionMessage, OnionPacket, OnionSecret, Payload, RecipientData,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = SecretKey::from_slice(&[1; 32]).expect("a key");
    if let Ok(peeled) = OnionPacket::from(bytes.to_vec()).peel(&key, &[]) {
        assert_eq!(peeled.next.as_bytes().len(), bytes.len());
    }
    for is_last in [false, true] {
        // A legacy payload ends with padding that means nothing.
        if let Ok(payload) = Payload::decode_hop(bytes, is_last, &[])
            && !payload.is_legacy()
        {
            assert_eq!(payload.encode(), bytes);
        }
    }
    let path_key = key.public_key(&Secp256k1::new());
    let message = OnionMessage { path_key, packet: bytes.to_vec().into() };
    if let Ok(Arrived::Forward { message, .. }) = message.peel(&key) {
        assert_eq!(message.packet.as_bytes().len(), bytes.len());
    }
    if let Ok(payload) = MessagePayload::decode(bytes) {
        assert_eq!(payload.encode(), bytes);
    }
    if let Ok(data) = RecipientData::decode(bytes) {
        assert_eq!(data.encode(), bytes);
    }
    if let Ok(path) = BlindedPath::decode(bytes) {
        assert_eq!(path.encode(), bytes);
    }
    let secrets = [OnionSecret([1; 32]), OnionSecret([2; 32])];
    let wrapped = FailureOnion::from(bytes.to_vec()).wrap(&secrets[0]);
    assert_eq!(wrapped.as_bytes().len(), bytes.len());
    if let Some(found) = wrapped.attribute(&secrets) {
        assert!(found.erring_hop < secrets.len());
    }
});
