//! The transport: bytes instead of a handshake, and behind one.

#![no_main]

use bitcoin::secp256k1::{Secp256k1, SecretKey};
use leyden_bolt::{Event, Noise};
use libfuzzer_sys::fuzz_target;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).expect("a key")
}

fn pair() -> [Noise; 2] {
    let responder = key(3).public_key(&Secp256k1::new());
    [Noise::initiator(&key(1), key(2), responder), Noise::responder(&key(3), key(4))]
}

fuzz_target!(|bytes: &[u8]| {
    for mut noise in pair() {
        noise.receive(bytes);
        assert!(matches!(noise.next_event(), Ok(None) | Err(_)), "nobody knows the keys");
    }
    let [mut initiator, mut responder] = pair();
    for _ in 0..2 {
        responder.receive(&initiator.take_output());
        let _ = responder.next_event().expect("a good handshake");
        initiator.receive(&responder.take_output());
        let _ = initiator.next_event().expect("a good handshake");
    }
    // Whole messages arrive whole, however they are cut.
    let message = &bytes[..bytes.len().min(65_535)];
    if message.len() >= 2 && initiator.send(message).is_ok() {
        let sent = initiator.take_output();
        let (first, second) = sent.split_at(usize::from(message[0]) % sent.len());
        responder.receive(first);
        assert_eq!(responder.next_event(), Ok(None));
        responder.receive(second);
        assert_eq!(responder.next_event(), Ok(Some(Event::Message(message.to_vec()))));
    }
    responder.receive(bytes);
    assert!(matches!(responder.next_event(), Ok(None) | Err(_)), "nobody knows the keys");
});
