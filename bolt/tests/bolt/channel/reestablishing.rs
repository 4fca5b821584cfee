//! Disconnections at every moment, restarts, and what a peer that lost its data is told.

use super::{Pair, features, htlc, preimage};
use leyden_bolt::channel::{
    AddHtlcError, Channel, ChannelError, ChannelOutput, HtlcState, Removal, RestoreError,
};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::message::channel::{ChannelReestablish, UpdateFee};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{ChannelType, Side};

/// Each message of a payment in turn is the last that arrives; then one node or both have only their records left.
#[test]
fn a_payment_gets_through_whatever_message_is_lost() {
    for restarts in [&[][..], &[0], &[1], &[0, 1]] {
        for last in 0.. {
            let mut pair = Pair::balanced(ChannelType::ANCHORS);
            let lost = pay_until(&mut pair, last);
            if !lost {
                assert!(last > 8, "a payment has more messages than {last}");
                break;
            }
            pair.disconnect();
            for node in restarts {
                pair.restart(*node);
            }
            pair.reconnect();
            pair.settle();
            finish_payment(&mut pair);
            pair.assert_in_step();
            assert_eq!(
                pair.channel(0).balance_msat(Side::Local),
                490_000_000,
                "lost after {last}, {restarts:?}"
            );
        }
    }
}

/// One payment, of which no more than `messages` arrive. Whether that was too few.
fn pay_until(pair: &mut Pair, messages: usize) -> bool {
    let mut left = messages;
    pair.channel(0).add_htlc(htlc(1, 10_000_000)).expect("room for it");
    loop {
        let mut idle = true;
        for node in [0, 1] {
            pair.commit(node);
            while !pair.peers[1 - node].inbox.is_empty() {
                if left == 0 {
                    return true;
                }
                left -= 1;
                idle = false;
                pair.deliver(1 - node);
                if pair.events(1).contains(&ChannelOutput::HtlcCommitted { id: 0 }) {
                    pair.channel(1).remove_htlc(0, Removal::Fulfill(preimage(1))).expect("it is there");
                }
                pair.commit(1 - node);
            }
        }
        if idle {
            return false;
        }
    }
}

/// Offers the HTLC again if it was forgotten, and redeems it if it was not yet.
fn finish_payment(pair: &mut Pair) {
    if pair.events(0).contains(&ChannelOutput::HtlcDropped { id: 0 }) {
        assert_eq!(pair.add(0, htlc(1, 10_000_000)), 0, "the id is free again");
    }
    let committed = |htlc: &leyden_bolt::channel::Htlc| htlc.state == HtlcState::RcvdAddAckRevocation;
    if pair.channel(1).htlc(Side::Remote, 0).is_some_and(committed) {
        pair.remove(1, 0, Removal::Fulfill(preimage(1)));
    }
}

#[test]
fn records_do_not_have_what_nobody_is_committed_to() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let id = pair.add(0, htlc(1, 10_000_000));
    let before = pair.channel(0).record();
    pair.channel(0).add_htlc(htlc(2, 10_000_000)).expect("room for it");
    assert_eq!(pair.channel(0).record(), before, "SENT_ADD_HTLC is not stored");
    pair.channel(1).remove_htlc(id, Removal::Fail(vec![1])).expect("it is there");
    pair.flush(1);
    pair.deliver(0).expect("a removal").expect("in order");
    assert_eq!(pair.channel(0).htlc(Side::Local, id).expect("it is there").state, HtlcState::RcvdRemoveHtlc);
    assert_eq!(pair.channel(0).record(), before, "RCVD_REMOVE_HTLC is stored as SENT_ADD_ACK_REVOCATION");
    let stored = pair.channel(1).record().htlcs[&(Side::Remote, id)].clone();
    assert_eq!((stored.state, stored.removal), (HtlcState::SentRemoveHtlc, Some(Removal::Fail(vec![1]))));
    pair.disconnect();
    assert_eq!(pair.events(0).last(), Some(&ChannelOutput::HtlcDropped { id: 1 }));
    assert_eq!(pair.channel(0).record(), before);
}

#[test]
fn only_what_was_signed_can_be_restored() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    pair.add(0, htlc(1, 10_000_000));
    let restore = |pair: &mut Pair, change: fn(&mut leyden_bolt::channel::Record)| {
        let channel = pair.channel(0).clone();
        let mut record = channel.record();
        change(&mut record);
        Channel::restore(*channel.terms(), channel.keys().clone(), record).map(|_| ())
    };
    assert_eq!(restore(&mut pair, |_| ()), Ok(()));
    let error = restore(&mut pair, |record| record.our_msat -= 1000).expect_err("not signed");
    assert!(matches!(error, RestoreError::Signature { number: 1, .. }), "{error}");
    let error =
        restore(&mut pair, |record| record.signatures.htlc_signatures.clear()).expect_err("not signed");
    assert_eq!(
        error.to_string(),
        "the stored signatures do not fit commitment 1: Expected 1 htlc sigs, not 0"
    );
    for change in [
        (|record| record.next_commitment_number[0] = 0) as fn(&mut leyden_bolt::channel::Record),
        |record| record.next_commitment_number[1] += 2,
        |record| record.our_msat = u64::MAX,
        |record| record.htlcs.values_mut().for_each(|htlc| htlc.removal = Some(Removal::Fail(vec![]))),
    ] {
        let error = restore(&mut pair, change).expect_err("it cannot be");
        assert!(matches!(error, RestoreError::Number { .. }), "{error}");
    }
}

/// What a node says when it is connected again.
fn reestablish(pair: &mut Pair, node: usize) -> ChannelReestablish {
    pair.channel(node).disconnected();
    pair.channel(node).reconnected(&features(), &features());
    let said = pair.channel(node).take_outputs().into_iter().find_map(|output| match output {
        ChannelOutput::Send(ChannelMessage::ChannelReestablish(message)) => Some(message),
        _ => None,
    });
    said.expect("channel_reestablish")
}

#[test]
fn a_new_connection_begins_with_where_each_side_left_off() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let said = reestablish(&mut pair, 0);
    assert_eq!((said.next_commitment_number, said.next_revocation_number), (1, 0));
    assert_eq!(said.your_last_per_commitment_secret, [0; 32]);
    pair.disconnect();
    pair.reconnect();
    pair.settle();
    assert!(pair.events(0).contains(&ChannelOutput::Reestablished));
    pair.add(0, htlc(1, 10_000_000));
    let said = reestablish(&mut pair, 0);
    assert_eq!((said.next_commitment_number, said.next_revocation_number), (2, 1));
    assert_eq!(said.your_last_per_commitment_secret, pair.channel(1).keys().per_commitment_secret(0));
}

/// Judges what node 1 says by what node 0 knows, after two payments.
fn judge(change: impl Fn(&mut ChannelReestablish, &mut Pair)) -> Result<(), ChannelError> {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    for number in 0..2 {
        pair.add(0, htlc(number, 10_000_000));
    }
    let mut said = reestablish(&mut pair, 1);
    assert_eq!((said.next_commitment_number, said.next_revocation_number), (3, 2));
    change(&mut said, &mut pair);
    reestablish(&mut pair, 0);
    let before = pair.channel(0).record();
    let judged = pair.channel(0).receive(said.into());
    assert_eq!(pair.channel(0).record(), before);
    judged
}

fn error(text: &str) -> Result<(), ChannelError> {
    Err(ChannelError::Error(text.to_owned()))
}

#[test]
fn numbers_that_do_not_fit_are_told_in_channelds_words() {
    assert_eq!(judge(|_, _| ()), Ok(()));
    assert_eq!(
        judge(|said, _| said.next_commitment_number = 4),
        error("bad reestablish commitment_number: 4 vs 3")
    );
    assert_eq!(
        judge(|said, _| said.next_commitment_number = 2),
        error("bad reestablish commitment_number: 2 vs 3")
    );
    assert_eq!(
        judge(|said, _| said.next_commitment_number = u64::MAX),
        error(&format!("bad reestablish commitment_number: {} vs 3", u64::MAX))
    );
    let wrong = judge(|said, _| said.your_last_per_commitment_secret = [1; 32]);
    let Err(ChannelError::Error(text)) = wrong else { panic!("{wrong:?}") };
    assert!(
        text.starts_with(&format!(
            "bad reestablish: your_last_per_commitment_secret 2: {} should be ",
            "01".repeat(32)
        )),
        "{text}"
    );
    // A peer that has lost its data may ask us to close.
    let behind =
        Err(ChannelError::WarningWithoutDisconnect("bad reestablish revocation_number: 0 vs 3".to_owned()));
    assert_eq!(judge(|said, _| said.next_revocation_number = 0), behind);
}

#[test]
fn who_has_lost_data_learns_it_from_the_peer() {
    assert_eq!(
        judge(|said, _| said.next_revocation_number = 3),
        error("bad future last_local_per_commit_secret: 3 vs 2")
    );
    assert_eq!(
        judge(|said, _| said.next_revocation_number = u64::MAX),
        error(&format!("bad future last_local_per_commit_secret: {} vs 2", u64::MAX))
    );
    let proved = judge(|said, pair| {
        said.next_revocation_number = 3;
        said.your_last_per_commitment_secret = pair.channel(0).keys().per_commitment_secret(2);
    });
    assert_eq!(proved, Err(ChannelError::FallenBehind("Awaiting unilateral close".to_owned())));
}

#[test]
fn messages_wait_for_both_to_reestablish() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let said = reestablish(&mut pair, 1);
    reestablish(&mut pair, 0);
    assert_eq!(pair.channel(0).add_htlc(htlc(1, 1_000_000)), Err(AddHtlcError::Unavailable));
    let channel_id = said.channel_id;
    let early = UpdateFee { channel_id, feerate_per_kw: 500, tlvs: TlvStream::new() };
    for _ in 0..10 {
        pair.channel(0).receive(early.clone().into()).expect("it waits");
    }
    let mut full = pair.channel(0).clone();
    let text = "bad reestablish msg: WIRE_UPDATE_FEE".to_owned();
    assert_eq!(full.receive(early.into()), Err(ChannelError::Warning(text)));
    // What waited is read, and judged, when it is its turn.
    let text = "update_fee from non-opener?".to_owned();
    assert_eq!(pair.channel(0).receive(said.into()), Err(ChannelError::Warning(text)));
}

#[test]
fn nothing_is_received_without_a_connection() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let said = reestablish(&mut pair, 1);
    pair.disconnect();
    let text = "WIRE_CHANNEL_REESTABLISH before init".to_owned();
    assert_eq!(pair.channel(0).receive(said.into()), Err(ChannelError::Warning(text)));
}

/// Removals are decided at any time, and said when there is somebody to hear them.
#[test]
fn htlcs_can_be_removed_while_the_peer_is_away() {
    let mut pair = Pair::balanced(ChannelType::STATIC_REMOTEKEY);
    let id = pair.add(0, htlc(1, 10_000_000));
    pair.disconnect();
    pair.channel(1).remove_htlc(id, Removal::Fulfill(preimage(1))).expect("it is there");
    pair.flush(1);
    pair.restart(1);
    pair.reconnect();
    pair.settle();
    assert_eq!(pair.channel(0).balance_msat(Side::Local), 490_000_000);
    pair.assert_in_step();
}

#[test]
fn channel_ready_is_said_again_until_something_is_committed() {
    let mut pair = Pair::open(super::request(ChannelType::ANCHORS), [super::CONFIG; 2]);
    for node in [0, 1] {
        pair.channel(node).send_channel_ready(Some("1x1x1".parse().expect("a short channel id")));
        pair.flush(node);
    }
    pair.disconnect();
    for node in [0, 1] {
        pair.restart(node);
    }
    pair.reconnect();
    pair.settle();
    assert!(pair.events(0).contains(&ChannelOutput::Ready));
    assert_eq!(pair.channel(0).record().aliases[1], Some("1x1x1".parse().expect("a short channel id")));
}
