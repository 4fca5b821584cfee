//! The transport under any chunking, with errors, and in the order that an I/O task uses it.

use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use leyden_bolt::noise::{Event, Noise, NoiseError, Part};
use proptest::prelude::*;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

fn id(byte: u8) -> PublicKey {
    key(byte).public_key(&Secp256k1::new())
}

/// Two ends that have not spoken yet.
fn pair() -> (Noise, Noise) {
    (Noise::initiator(&key(1), key(2), id(3)), Noise::responder(&key(3), key(4)))
}

/// Two ends after the handshake.
fn connected() -> (Noise, Noise) {
    let (mut alice, mut bob) = pair();
    bob.receive(&alice.take_output());
    assert_eq!(bob.next_event(), Ok(None));
    alice.receive(&bob.take_output());
    assert_eq!(alice.next_event(), Ok(Some(Event::Connected { node_id: id(3) })));
    bob.receive(&alice.take_output());
    assert_eq!(bob.next_event(), Ok(Some(Event::Connected { node_id: id(1) })));
    (alice, bob)
}

fn drain(noise: &mut Noise) -> Vec<Event> {
    std::iter::from_fn(|| noise.next_event().expect("no error")).collect()
}

#[test]
fn the_longest_message_goes_through_and_a_longer_one_is_refused() {
    let (mut alice, mut bob) = connected();
    let longest = vec![7; 65535];
    alice.send(&longest).unwrap();
    bob.receive(&alice.take_output());
    assert_eq!(bob.next_event(), Ok(Some(Event::Message(longest))));

    assert_eq!(alice.send(&vec![7; 65536]), Err(NoiseError::TooLong { got: 65536 }));
    assert!(alice.take_output().is_empty());
    alice.send(b"still in step").unwrap();
    bob.receive(&alice.take_output());
    assert_eq!(bob.next_event(), Ok(Some(Event::Message(b"still in step".to_vec()))));
}

#[test]
fn nothing_can_be_sent_before_the_handshake_is_over() {
    let (mut alice, mut bob) = pair();
    assert_eq!(alice.send(b"early"), Err(NoiseError::NotConnected));
    assert_eq!(bob.send(b"early"), Err(NoiseError::NotConnected));
}

#[test]
fn a_responder_with_another_key_refuses_act_one() {
    let mut alice = Noise::initiator(&key(1), key(2), id(9));
    let mut bob = Noise::responder(&key(3), key(4));
    bob.receive(&alice.take_output());
    let error = bob.next_event().unwrap_err();
    assert_eq!(error, NoiseError::BadTag { part: Part::ActOne });
    assert!(bob.take_output().is_empty());
}

#[test]
fn messages_before_an_altered_one_are_delivered_and_the_error_stays() {
    let (mut alice, mut bob) = connected();
    alice.send(b"good").unwrap();
    alice.send(b"altered").unwrap();
    let mut bytes = alice.take_output();
    *bytes.last_mut().unwrap() ^= 1;
    bob.receive(&bytes);
    assert_eq!(bob.next_event(), Ok(Some(Event::Message(b"good".to_vec()))));
    let error = NoiseError::BadTag { part: Part::Body };
    assert_eq!(bob.next_event(), Err(error.clone()));
    assert_eq!(bob.next_event(), Err(error.clone()));
    assert_eq!(bob.send(b"anything"), Err(error.clone()));
    assert_eq!(bob.finish(), Err(error));
}

#[test]
fn a_connection_may_end_between_messages_only() {
    let (mut alice, mut bob) = connected();
    assert_eq!(bob.finish(), Ok(()));
    alice.send(b"hello").unwrap();
    let bytes = alice.take_output();
    bob.receive(&bytes[..20]);
    assert_eq!(bob.next_event(), Ok(None));
    let error = bob.finish().unwrap_err();
    assert_eq!(error.to_string(), "message body: expected 21 bytes, the connection ended after 2");
}

#[test]
fn debug_output_shows_no_key() {
    let noise = Noise::responder(&key(0xab), key(0xcd));
    assert_eq!(format!("{noise:?}"), "Noise { reading: Ok((ActOne, 50)), .. }");
}

proptest! {
    /// However the streams are cut, both ends see the same events.
    #[test]
    fn chunking_makes_no_difference(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        cuts in prop::collection::vec(1usize..90, 1..40),
    ) {
        let (mut alice, mut bob) = pair();
        let mut cuts = cuts.into_iter().cycle();
        let mut pass = |from: &mut Noise, to: &mut Noise| {
            let (bytes, mut events) = (from.take_output(), Vec::new());
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(cuts.next().expect("a cycle").min(rest.len()));
                to.receive(chunk);
                events.extend(drain(to));
                rest = after;
            }
            events
        };
        prop_assert_eq!(pass(&mut alice, &mut bob), vec![]);
        prop_assert_eq!(pass(&mut bob, &mut alice), vec![Event::Connected { node_id: id(3) }]);
        for message in &messages {
            alice.send(message).unwrap();
        }
        let mut expected = vec![Event::Connected { node_id: id(1) }];
        expected.extend(messages.into_iter().map(Event::Message));
        prop_assert_eq!(pass(&mut alice, &mut bob), expected);
        prop_assert_eq!(bob.finish(), Ok(()));
    }

    /// Hostile bytes end in an error or in silence, never in a panic or an event.
    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut alice, mut bob) = pair();
        let (mut carol, _) = connected();
        for noise in [&mut alice, &mut bob, &mut carol] {
            noise.receive(&bytes);
            prop_assert!(matches!(noise.next_event(), Ok(None) | Err(_)));
        }
    }
}
