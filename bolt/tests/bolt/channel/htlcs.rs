//! HTLCs on their way through both commitments, and the words for what breaks a rule.

use super::{CONFIG, Pair, close_script, htlc, preimage, refusal, request, warning};
use bitcoin::secp256k1::ecdsa::Signature;
use leyden_bolt::channel::{
    AddHtlcError, Channel, ChannelError, ChannelOutput, OpenRequest, Removal, RemoveHtlcError,
};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::message::channel::{
    CommitmentSigned, RevokeAndAck, UpdateAddHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{ChannelConfig, ChannelType, Commitment, CommitmentSpec, Side};

fn state(pair: &mut Pair, node: usize, owner: Side) -> Option<&'static str> {
    pair.channel(node).htlc(owner, 0).map(|htlc| htlc.state.name())
}

/// Lets one message after the other arrive, alternately, and notes the HTLC's states on both sides.
fn states_of(pair: &mut Pair) -> Vec<[Option<&'static str>; 2]> {
    let both = |pair: &mut Pair| [state(pair, 0, Side::Local), state(pair, 1, Side::Remote)];
    let mut seen = vec![both(pair)];
    loop {
        let before = seen.len();
        for node in [0, 1] {
            pair.commit(node);
            seen.push(both(pair));
            while let Some(received) = pair.deliver(1 - node) {
                received.expect("two of the same kind agree");
                seen.push(both(pair));
            }
        }
        seen.dedup();
        if seen.len() <= before {
            return seen;
        }
    }
}

#[test]
fn an_htlc_goes_through_lightningds_states() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let id = pair.channel(0).add_htlc(htlc(1, 10_000_000)).expect("room for it");
    pair.flush(0);
    let adding = states_of(&mut pair);
    assert_eq!(
        adding,
        [
            [Some("SENT_ADD_HTLC"), None],
            [Some("SENT_ADD_COMMIT"), None],
            [Some("SENT_ADD_COMMIT"), Some("RCVD_ADD_HTLC")],
            [Some("SENT_ADD_COMMIT"), Some("SENT_ADD_REVOCATION")],
            [Some("SENT_ADD_COMMIT"), Some("SENT_ADD_ACK_COMMIT")],
            [Some("RCVD_ADD_REVOCATION"), Some("SENT_ADD_ACK_COMMIT")],
            [Some("SENT_ADD_ACK_REVOCATION"), Some("SENT_ADD_ACK_COMMIT")],
            [Some("SENT_ADD_ACK_REVOCATION"), Some("RCVD_ADD_ACK_REVOCATION")],
        ]
    );
    pair.channel(1).remove_htlc(id, Removal::Fulfill(preimage(1))).expect("it is there");
    pair.flush(1);
    let removing = states_of(&mut pair);
    assert_eq!(
        removing,
        [
            [Some("SENT_ADD_ACK_REVOCATION"), Some("SENT_REMOVE_HTLC")],
            [Some("SENT_ADD_ACK_REVOCATION"), Some("SENT_REMOVE_COMMIT")],
            [Some("RCVD_REMOVE_HTLC"), Some("SENT_REMOVE_COMMIT")],
            [Some("SENT_REMOVE_REVOCATION"), Some("SENT_REMOVE_COMMIT")],
            [Some("SENT_REMOVE_ACK_COMMIT"), Some("SENT_REMOVE_COMMIT")],
            [Some("SENT_REMOVE_ACK_COMMIT"), Some("RCVD_REMOVE_REVOCATION")],
            [Some("SENT_REMOVE_ACK_COMMIT"), None],
            [None, None],
        ]
    );
}

#[test]
fn both_sides_hear_of_an_htlc_when_it_counts() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    pair.events(0);
    pair.events(1);
    let id = pair.add(0, htlc(1, 10_000_000));
    let committed = pair.events(1);
    assert!(matches!(
        committed[..],
        [ChannelOutput::Revoked { commitment_number: 0, .. }, ChannelOutput::HtlcCommitted { id: 0 }]
    ));
    pair.events(0);
    let (preimage, removal) = (preimage(1), Removal::Fulfill(preimage(1)));
    pair.remove(1, id, removal.clone());
    let told: Vec<_> =
        pair.events(0).into_iter().filter(|event| !matches!(event, ChannelOutput::Revoked { .. })).collect();
    assert_eq!(
        told,
        [
            ChannelOutput::HtlcFulfilled { id, preimage },
            ChannelOutput::HtlcRemoved { id, removal: removal.clone() }
        ]
    );
    let told: Vec<_> =
        pair.events(1).into_iter().filter(|event| !matches!(event, ChannelOutput::Revoked { .. })).collect();
    assert_eq!(told, [ChannelOutput::HtlcForgotten { id, removal }]);
    assert_eq!(pair.channel(0).balance_msat(Side::Local), 490_000_000);
    pair.assert_in_step();
}

#[test]
fn failures_bring_the_money_back_and_their_reason_along() {
    let malformed = Removal::FailMalformed { sha256_of_onion: [3; 32], failure_code: 0xc006 };
    for removal in [Removal::Fail(vec![1, 2, 3]), malformed] {
        let mut pair = Pair::balanced(ChannelType::STATIC_REMOTEKEY);
        let id = pair.add(1, htlc(1, 10_000_000));
        pair.remove(0, id, removal.clone());
        assert_eq!(pair.channel(0).balance_msat(Side::Local), 500_000_000);
        let told = pair.events(1);
        let ends = told.iter().filter(|event| {
            matches!(event, ChannelOutput::HtlcFailed { .. } | ChannelOutput::HtlcRemoved { .. })
        });
        let failed = ChannelOutput::HtlcFailed { id, removal: removal.clone() };
        assert_eq!(ends.collect::<Vec<_>>(), [&failed, &ChannelOutput::HtlcRemoved { id, removal }]);
        pair.assert_in_step();
    }
}

#[test]
fn extensions_of_an_htlc_arrive_as_they_were_sent() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let mut add = htlc(1, 10_000_000);
    add.tlvs.set(0, [2; 33]);
    add.tlvs.set(65_537, [1]);
    pair.add(0, add.clone());
    let received = pair.channel(1).htlc(Side::Remote, 0).expect("it is there");
    assert_eq!((&received.tlvs, &received.onion), (&add.tlvs, &add.onion));
}

fn add_message(channel: &Channel, id: u64, amount_msat: u64) -> UpdateAddHtlc {
    let add = htlc(id, amount_msat);
    UpdateAddHtlc {
        channel_id: channel.channel_id(),
        id,
        amount_msat,
        payment_hash: add.payment_hash,
        cltv_expiry: add.cltv_expiry,
        onion_routing_packet: add.onion,
        tlvs: add.tlvs,
    }
}

#[test]
fn htlcs_that_break_rules_are_refused_in_channelds_words() {
    let minimum = ChannelConfig { htlc_minimum_msat: 1000, ..CONFIG };
    let mut pair =
        Pair::ready(OpenRequest { push_msat: 500_000_000, ..request(ChannelType::ANCHORS) }, [minimum; 2]);
    let good = add_message(pair.channel(1), 0, 1_000_000);
    let cases = [
        (UpdateAddHtlc { amount_msat: 999, ..good.clone() }, "CHANNEL_ERR_HTLC_BELOW_MINIMUM"),
        (UpdateAddHtlc { amount_msat: u64::MAX, ..good.clone() }, "CHANNEL_ERR_CHANNEL_CAPACITY_EXCEEDED"),
        (UpdateAddHtlc { cltv_expiry: 500_000_000, ..good.clone() }, "CHANNEL_ERR_INVALID_EXPIRY"),
        (UpdateAddHtlc { id: 1, ..good.clone() }, "CHANNEL_ERR_DUPLICATE_ID_DIFFERENT"),
    ];
    for (message, name) in cases {
        assert_eq!(refusal(&mut pair, 1, message), warning(&format!("Bad peer_add_htlc: {name}")));
    }
    pair.channel(1).receive(good.clone().into()).expect("it is in order");
    assert_eq!(refusal(&mut pair, 1, good.clone()), warning("Bad peer_add_htlc: CHANNEL_ERR_DUPLICATE"));
    let other = UpdateAddHtlc { amount_msat: 2_000_000, ..good };
    assert_eq!(
        refusal(&mut pair, 1, other),
        warning("Bad peer_add_htlc: CHANNEL_ERR_DUPLICATE_ID_DIFFERENT")
    );
}

#[test]
fn removals_that_break_rules_are_refused_in_channelds_words() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let channel_id = pair.channel(0).channel_id();
    let fulfill = |id, number| UpdateFulfillHtlc {
        channel_id,
        id,
        payment_preimage: preimage(number),
        tlvs: TlvStream::new(),
    };
    let bad = |name: &str| warning(&format!("Bad update_fulfill_htlc: failed to fulfill 0 error {name}"));
    assert_eq!(refusal(&mut pair, 0, fulfill(0, 1)), bad("CHANNEL_ERR_NO_SUCH_ID"));
    pair.channel(0).add_htlc(htlc(1, 10_000_000)).expect("room for it");
    assert_eq!(refusal(&mut pair, 0, fulfill(0, 1)), bad("CHANNEL_ERR_HTLC_UNCOMMITTED"));
    pair.channel(0).commit();
    assert_eq!(refusal(&mut pair, 0, fulfill(0, 1)), bad("CHANNEL_ERR_HTLC_NOT_IRREVOCABLE"));
    pair.flush(0);
    pair.settle();
    assert_eq!(refusal(&mut pair, 0, fulfill(0, 2)), bad("CHANNEL_ERR_BAD_PREIMAGE"));
    let malformed = UpdateFailMalformedHtlc {
        channel_id,
        id: 7,
        sha256_of_onion: [0; 32],
        failure_code: 0,
        tlvs: TlvStream::new(),
    };
    let text = "Bad update_fail_malformed_htlc: failed to remove 7 error CHANNEL_ERR_NO_SUCH_ID";
    assert_eq!(refusal(&mut pair, 0, malformed), warning(text));
    pair.channel(0).receive(fulfill(0, 1).into()).expect("it is in order");
    assert_eq!(refusal(&mut pair, 0, fulfill(0, 1)), bad("CHANNEL_ERR_ALREADY_FULFILLED"));
}

#[test]
fn our_own_removals_have_to_be_in_order() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let id = pair.add(0, htlc(1, 10_000_000));
    let channel = pair.channel(1);
    assert_eq!(channel.remove_htlc(9, Removal::Fail(vec![])), Err(RemoveHtlcError::NoSuchId));
    assert_eq!(channel.remove_htlc(id, Removal::Fulfill(preimage(2))), Err(RemoveHtlcError::BadPreimage));
    channel.remove_htlc(id, Removal::Fail(vec![])).expect("it is there");
    assert_eq!(channel.remove_htlc(id, Removal::Fail(vec![])), Err(RemoveHtlcError::HtlcNotIrrevocable));
}

#[test]
fn a_malformed_failure_without_its_bit_gets_it() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let id = pair.add(0, htlc(1, 10_000_000));
    let channel_id = pair.channel(0).channel_id();
    let message = UpdateFailMalformedHtlc {
        channel_id,
        id,
        sha256_of_onion: [0; 32],
        failure_code: 5,
        tlvs: TlvStream::new(),
    };
    pair.channel(0).receive(message.into()).expect("it is put up with");
    let removal = pair.channel(0).htlc(Side::Local, id).and_then(|htlc| htlc.removal.clone());
    assert_eq!(removal, Some(Removal::FailMalformed { sha256_of_onion: [0; 32], failure_code: 0x8005 }));
}

#[test]
fn nothing_is_said_before_the_channel_is_ready() {
    let mut pair = Pair::open(request(ChannelType::ANCHORS), [CONFIG; 2]);
    assert_eq!(pair.channel(0).add_htlc(htlc(1, 1_000_000)), Err(AddHtlcError::Unavailable));
    let add = add_message(pair.channel(1), 0, 1_000_000);
    assert_eq!(refusal(&mut pair, 1, add), warning("WIRE_UPDATE_ADD_HTLC (128) before funding locked"));
}

#[test]
fn commitments_have_to_be_signed_and_to_change_something() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    pair.channel(0).add_htlc(htlc(1, 10_000_000)).expect("room for it");
    pair.commit(0);
    let add = pair.peers[1].inbox.pop_front().expect("update_add_htlc");
    pair.channel(1).receive(add).expect("it is in order");
    let Some(ChannelMessage::CommitmentSigned(signed)) = pair.peers[1].inbox.pop_front() else {
        panic!("no commitment")
    };
    let forged = CommitmentSigned {
        signature: Signature::from_compact(&[1; 64]).expect("a number"),
        ..signed.clone()
    };
    let ChannelError::Warning(text) = refusal(&mut pair, 1, forged) else { panic!("no warning") };
    assert!(text.starts_with("Bad commit_sig signature"), "{text}");
    let fewer = CommitmentSigned { htlc_signature: vec![], ..signed.clone() };
    assert_eq!(refusal(&mut pair, 1, fewer), warning("Expected 1 htlc sigs, not 0"));
    let swapped = CommitmentSigned { htlc_signature: vec![signed.signature], ..signed.clone() };
    let ChannelError::Warning(text) = refusal(&mut pair, 1, swapped) else { panic!("no warning") };
    assert!(text.contains("for htlc"), "{text}");
    pair.channel(1).receive(signed.into()).expect("it is in order");
}

/// LND sends a commitment that changes nothing now and then.
#[test]
fn one_empty_commitment_is_put_up_with() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    for expected in [None, Some(warning("commit_sig with no changes (again!)"))] {
        // What the peer would sign: our next commitment, equal to the one before but for its number.
        let channel = pair.channel(1);
        let mut spec = channel.local_commitment().spec().clone();
        spec.number += 1;
        spec.per_commitment_point = channel.keys().per_commitment_point(spec.number);
        let channel_id = channel.channel_id();
        let peer = &pair.peers[0].channel;
        let mirrored = CommitmentSpec { side: Side::Remote, ..spec };
        let commitment = Commitment::new(peer.terms(), mirrored);
        let signatures = peer.keys().sign_commitment(&commitment);
        let message = CommitmentSigned {
            channel_id,
            signature: signatures.signature,
            htlc_signature: signatures.htlc_signatures,
            tlvs: TlvStream::new(),
        };
        assert_eq!(pair.channel(1).receive(message.into()).err(), expected);
    }
}

#[test]
fn secrets_have_to_be_those_of_the_commitment_before() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let next_per_commitment_point = pair.channel(1).keys().per_commitment_point(2);
    let channel_id = pair.channel(0).channel_id();
    let revoke = |secret| RevokeAndAck {
        channel_id,
        per_commitment_secret: secret,
        next_per_commitment_point,
        tlvs: TlvStream::new(),
    };
    let secret = pair.channel(1).keys().per_commitment_secret(0);
    assert_eq!(refusal(&mut pair, 0, revoke(secret)), warning("Unexpected revoke_and_ack"));
    pair.channel(0).add_htlc(htlc(1, 10_000_000)).expect("room for it");
    pair.channel(0).commit();
    let ChannelError::Error(text) = refusal(&mut pair, 0, revoke([0; 32])) else { panic!("no error") };
    assert_eq!(text, format!("Bad privkey {}", "00".repeat(32)));
    let ChannelError::Error(text) = refusal(&mut pair, 0, revoke([1; 32])) else { panic!("no error") };
    assert!(text.starts_with(&format!("Wrong privkey {} for 0 ", "01".repeat(32))), "{text}");
    pair.channel(0).receive(revoke(secret).into()).expect("it is in order");
}

/// Whatever commitment the peer has revoked, its own balance on it can be taken; from the very first one on.
#[test]
fn revoked_commitments_can_be_punished() {
    for kind in [ChannelType::STATIC_REMOTEKEY, ChannelType::ANCHORS] {
        let mut pair = Pair::balanced(kind);
        let mut commitments = vec![pair.channel(1).local_commitment_signed()];
        for number in 0..3 {
            pair.add(0, htlc(number, 20_000_000));
            commitments.push(pair.channel(1).local_commitment_signed());
        }
        let revoked = pair.events(0).into_iter().filter_map(|event| match event {
            ChannelOutput::Revoked { commitment_number, penalty_base } => {
                Some((commitment_number, penalty_base))
            }
            _ => None,
        });
        let bases: Vec<_> = revoked.collect();
        assert_eq!(bases.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2]);
        for ((_, base), commitment) in bases.into_iter().zip(&commitments) {
            let penalty =
                pair.channel(0).penalty(&base.expect("the peer has a balance"), 1000, &close_script(1));
            let penalty = penalty.expect("it is worth it");
            assert_eq!(penalty.input[0].previous_output.txid, commitment.compute_txid());
            let spent = &commitment.output[penalty.input[0].previous_output.vout as usize];
            assert!(spent.value.to_sat() > 400_000);
            assert_eq!(penalty.input[0].witness.len(), 3);
        }
    }
}
