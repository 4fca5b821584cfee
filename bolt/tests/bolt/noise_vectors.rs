//! Appendix A of BOLT 8, vector by vector.

use crate::hex;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use leyden_bolt::noise::{Event, Noise, NoiseError, Part};

const ACT_ONE: &str =
    "00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a";
const ACT_TWO: &str =
    "0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae";
const ACT_THREE: &str = "00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba";

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

fn id(byte: u8) -> PublicKey {
    key(byte).public_key(&Secp256k1::new())
}

/// The initiator of the vectors, its act one already taken.
fn initiator() -> Noise {
    let mut noise = Noise::initiator(&key(0x11), key(0x12), id(0x21));
    assert_eq!(noise.take_output().to_lower_hex_string(), ACT_ONE);
    noise
}

/// The responder of the vectors.
fn responder() -> Noise {
    Noise::responder(&key(0x21), key(0x22))
}

/// The responder of the vectors after acts one and two.
fn responder_after_act_two() -> Noise {
    let mut noise = responder();
    assert_eq!(feed(&mut noise, ACT_ONE), Ok(None));
    assert_eq!(noise.take_output().to_lower_hex_string(), ACT_TWO);
    noise
}

fn feed(noise: &mut Noise, bytes: &str) -> Result<Option<Event>, NoiseError> {
    noise.receive(&hex(bytes));
    noise.next_event()
}

#[test]
fn initiator_successful_handshake() {
    let mut noise = initiator();
    assert_eq!(feed(&mut noise, ACT_TWO), Ok(Some(Event::Connected { node_id: id(0x21) })));
    assert_eq!(noise.take_output().to_lower_hex_string(), ACT_THREE);
}

#[test]
fn initiator_act2_short_read() {
    let mut noise = initiator();
    assert_eq!(feed(&mut noise, &ACT_TWO[..98]), Ok(None));
    let short = NoiseError::ShortRead { part: Part::ActTwo, expected: 50, got: 49 };
    assert_eq!(noise.finish(), Err(short));
}

#[test]
fn initiator_act2_bad_version() {
    let error = feed(&mut initiator(), &ACT_TWO.replacen("00", "01", 1)).unwrap_err();
    assert_eq!(error, NoiseError::BadVersion { part: Part::ActTwo, got: 1 });
    assert_eq!(error.to_string(), "act two: expected handshake version 0, got 1");
}

#[test]
fn initiator_act2_bad_key_serialization() {
    let error = feed(&mut initiator(), &ACT_TWO.replacen("0002", "0004", 1)).unwrap_err();
    let got = "04466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27".to_owned();
    assert_eq!(error, NoiseError::BadKey { part: Part::ActTwo, got });
}

#[test]
fn initiator_act2_bad_mac() {
    let error = feed(&mut initiator(), &ACT_TWO.replace("f730ae", "f730af")).unwrap_err();
    assert_eq!(error, NoiseError::BadTag { part: Part::ActTwo });
}

#[test]
fn responder_successful_handshake() {
    let mut noise = responder_after_act_two();
    assert_eq!(feed(&mut noise, ACT_THREE), Ok(Some(Event::Connected { node_id: id(0x11) })));
    assert!(noise.take_output().is_empty());
}

#[test]
fn responder_act1_short_read() {
    let mut noise = responder();
    assert_eq!(feed(&mut noise, &ACT_ONE[..98]), Ok(None));
    let short = NoiseError::ShortRead { part: Part::ActOne, expected: 50, got: 49 };
    assert_eq!(noise.finish(), Err(short));
}

#[test]
fn responder_act1_bad_version() {
    let error = feed(&mut responder(), &ACT_ONE.replacen("00", "01", 1)).unwrap_err();
    assert_eq!(error, NoiseError::BadVersion { part: Part::ActOne, got: 1 });
}

#[test]
fn responder_act1_bad_key_serialization() {
    let error = feed(&mut responder(), &ACT_ONE.replacen("0003", "0004", 1)).unwrap_err();
    assert!(matches!(error, NoiseError::BadKey { part: Part::ActOne, .. }), "{error}");
}

#[test]
fn responder_act1_bad_mac() {
    let error = feed(&mut responder(), &ACT_ONE.replace("782c6a", "782c6b")).unwrap_err();
    assert_eq!(error, NoiseError::BadTag { part: Part::ActOne });
}

#[test]
fn responder_act3_bad_version() {
    let error = feed(&mut responder_after_act_two(), &ACT_THREE.replacen("00", "01", 1)).unwrap_err();
    assert_eq!(error, NoiseError::BadVersion { part: Part::ActThree, got: 1 });
}

#[test]
fn responder_act3_short_read() {
    let mut noise = responder_after_act_two();
    assert_eq!(feed(&mut noise, &ACT_THREE[..130]), Ok(None));
    let short = NoiseError::ShortRead { part: Part::ActThree, expected: 66, got: 65 };
    assert_eq!(noise.finish(), Err(short));
}

#[test]
fn responder_act3_bad_mac_for_ciphertext() {
    let error = feed(&mut responder_after_act_two(), &ACT_THREE.replacen("00b9", "00c9", 1)).unwrap_err();
    assert_eq!(error, NoiseError::BadNodeId);
}

#[test]
fn responder_act3_bad_rs() {
    let act_three = "00bfe3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa2235536ad09a8ee351870c2bb7f78b754a26c6cef79a98d25139c856d7efd252c2ae73c";
    let error = feed(&mut responder_after_act_two(), act_three).unwrap_err();
    // The vector's comment says 04; its bytes say 05, which is no more a point.
    let got = "054f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa".to_owned();
    assert_eq!(error, NoiseError::BadKey { part: Part::ActThree, got });
}

#[test]
fn responder_act3_bad_mac() {
    let error = feed(&mut responder_after_act_two(), &ACT_THREE.replace("e139ba", "e139bb")).unwrap_err();
    assert_eq!(error, NoiseError::BadTag { part: Part::ActThree });
}

#[test]
fn messages_across_two_key_rotations() {
    let mut alice = initiator();
    feed(&mut alice, ACT_TWO).unwrap();
    let mut bob = responder_after_act_two();
    bob.receive(&alice.take_output());
    bob.next_event().unwrap();

    let mut sent = Vec::new();
    for number in 0..=1001 {
        alice.send(b"hello").unwrap();
        sent.push(alice.take_output().to_lower_hex_string());
        bob.receive(&hex(&sent[number]));
        assert_eq!(bob.next_event(), Ok(Some(Event::Message(b"hello".to_vec()))), "message {number}");
    }
    let expected = [
        (0, "cf2b30ddf0cf3f80e7c35a6e6730b59fe802473180f396d88a8fb0db8cbcf25d2f214cf9ea1d95"),
        (1, "72887022101f0b6753e0c7de21657d35a4cb2a1f5cde2650528bbc8f837d0f0d7ad833b1a256a1"),
        (500, "178cb9d7387190fa34db9c2d50027d21793c9bc2d40b1e14dcf30ebeeeb220f48364f7a4c68bf8"),
        (501, "1b186c57d44eb6de4c057c49940d79bb838a145cb528d6e8fd26dbe50a60ca2c104b56b60e45bd"),
        (1000, "4a2f3cc3b5e78ddb83dcb426d9863d9d9a723b0337c89dd0b005d89f8d3c05c52b76b29b740f09"),
        (1001, "2ecd8c8a5629d0d02ab457a0fdd0f7b90a192cd46be5ecb6ca570bfc5e268338b1a16cf4ef2d36"),
    ];
    for (number, bytes) in expected {
        assert_eq!(sent[number], bytes, "message {number}");
    }
}
