//! Ends of channels, told to a [`Tracker`] block by block: what it asks for, and when.

use super::case::{Case, KnownHtlc};
use super::effect::Effect;
use super::tracked::Means;
use super::tracker::Tracker;
use crate::coin_mvts::movement::{Account, ChainMove, Movement, Tag};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::SecretKey;
use bitcoin::{OutPoint, Script, ScriptBuf, Transaction, Txid};
use leyden_bolt::channel::HtlcState;
use leyden_bolt::transaction::{
    ChannelConfig, ChannelType, Claim, ClosingTransaction, Commitment, CommitmentHtlc, CommitmentSpec,
    Shachain, Side, Terms,
};
use leyden_bolt::{ChannelId, ChannelKeys, HsmSecret};

const CLOSED_AT: u32 = 200;
const EXPIRY: u32 = 210;
const OUR_DELAY: u32 = 6;
const NUMBER: u64 = 4;

/// A channel between us and a peer, with an HTLC of each side.
struct Story {
    ours: ChannelKeys,
    theirs: ChannelKeys,
    terms: Terms,
    /// The same, as the peer has it.
    seen: Terms,
}

fn preimage_of(side: Side) -> [u8; 32] {
    [side as u8 + 1; 32]
}

fn htlc(offered_by: Side) -> CommitmentHtlc {
    let payment_hash = sha256::Hash::hash(&preimage_of(offered_by));
    CommitmentHtlc { offered_by, id: 7, amount_msat: 50_000_000, cltv_expiry: EXPIRY, payment_hash }
}

fn scripts() -> [ScriptBuf; 2] {
    [ScriptBuf::new_op_return([1]), ScriptBuf::new_op_return([2])]
}

impl Story {
    fn new(channel_type: ChannelType) -> Self {
        let (we, they) = (HsmSecret::Raw([1; 32]), HsmSecret::Raw([2; 32]));
        let ours = we.channel_keys(&they.node_id(), 1);
        let theirs = they.channel_keys(&we.node_id(), 1);
        let config = |to_self_delay| ChannelConfig {
            dust_limit_satoshis: 546,
            max_htlc_value_in_flight_msat: u64::MAX,
            channel_reserve_satoshis: 10_000,
            htlc_minimum_msat: 0,
            to_self_delay,
            max_accepted_htlcs: 483,
            max_dust_htlc_exposure_msat: u64::MAX,
        };
        let configs = [config(10), config(6)];
        let terms = Terms {
            opener: Side::Local,
            funding: OutPoint { txid: Txid::from_byte_array([3; 32]), vout: 0 },
            capacity_sat: 1_000_000,
            channel_type,
            local: ours.basepoints(),
            remote: theirs.basepoints(),
            config: configs,
        };
        let seen = Terms {
            opener: Side::Remote,
            local: terms.remote,
            remote: terms.local,
            config: [configs[1], configs[0]],
            ..terms
        };
        Self { ours, theirs, terms, seen }
    }

    /// A commitment of `owner`, as we have it.
    fn commitment(&self, owner: Side, number: u64) -> Commitment {
        let keys = if owner == Side::Local { &self.ours } else { &self.theirs };
        let balances =
            if owner == Side::Local { [500_000_000, 400_000_000] } else { [400_000_000, 500_000_000] };
        let spec = CommitmentSpec {
            side: owner,
            number,
            per_commitment_point: keys.per_commitment_point(number),
            feerate_per_kw: 1000,
            to_local_msat: balances[0],
            to_remote_msat: balances[1],
            htlcs: Side::BOTH.map(htlc).to_vec(),
        };
        Commitment::new(&self.terms, spec)
    }

    /// The same commitment, as the peer has it.
    fn seen_by_peer(&self, owner: Side, number: u64) -> Commitment {
        let spec = self.commitment(owner, number).spec().clone();
        let swap = |htlc: &CommitmentHtlc| CommitmentHtlc { offered_by: htlc.offered_by.other(), ..*htlc };
        let htlcs = spec.htlcs.iter().map(swap).collect();
        Commitment::new(&self.seen, CommitmentSpec { side: owner.other(), htlcs, ..spec })
    }

    /// What we know when the peer has revoked everything before [`NUMBER`].
    fn case(&self) -> Case {
        let mut shachain = Shachain::default();
        for number in 0..NUMBER {
            shachain.insert(number, self.theirs.per_commitment_secret(number)).expect("the next secret");
        }
        let states = [HtlcState::SentAddAckRevocation, HtlcState::RcvdAddAckRevocation];
        let known = |(side, state)| KnownHtlc { htlc: htlc(side), state, preimage: None };
        Case {
            account: Account::Channel { dbid: 1, id: ChannelId([4; 32]) },
            terms: self.terms,
            keys: self.ours.clone(),
            commitment: self.commitment(Side::Local, NUMBER),
            htlc_signatures: self
                .theirs
                .sign_commitment(&self.seen_by_peer(Side::Local, NUMBER))
                .htlc_signatures,
            shachain,
            remote_points: [NUMBER, NUMBER + 1].map(|number| self.theirs.per_commitment_point(number)),
            shutdown_scripts: scripts().map(Some),
            htlcs: Side::BOTH.into_iter().zip(states).map(known).collect(),
        }
    }

    fn closed_by(&self, tx: &Transaction) -> Tracker {
        let mut tracker = Tracker::new(self.case(), tx, CLOSED_AT);
        tracker.begin(tx);
        tracker
    }
}

/// What is asked for, without the log and the coins.
fn asked(tracker: &mut Tracker) -> Vec<Effect> {
    let effects = tracker.take_effects().into_iter();
    effects
        .filter(|effect| !matches!(effect, Effect::Log(..) | Effect::Movement(_) | Effect::Swept { .. }))
        .collect()
}

/// The tags of the coins that move.
fn tags(effects: &[Effect]) -> Vec<Tag> {
    let tag = |effect: &Effect| match effect {
        Effect::Movement(movement) => Some(match &**movement {
            Movement::Chain(chain) => chain.tag,
            Movement::Channel(channel) => channel.tag,
        }),
        Effect::Swept { debit, .. } => Some(debit.tag),
        _ => None,
    };
    effects.iter().filter_map(tag).collect()
}

/// The transaction that is due for the next block after `height`; there is one.
fn due(tracker: &mut Tracker, height: u32) -> (OutPoint, Transaction) {
    let places = tracker.due(height);
    let [place] = places[..] else { panic!("one output is due at {height}, got {places:?}") };
    let tx = made(tracker, place);
    tracker.sent(place, tx.compute_txid());
    (tracker.output(place).outpoint, tx)
}

fn made(tracker: &Tracker, place: usize) -> Transaction {
    let output = tracker.output(place);
    let case = tracker.case();
    match output.proposal.clone().expect("something is proposed").means {
        Means::Ignore => panic!("nothing is to be sent for {}", output.outpoint),
        Means::Claim(claim) => {
            let spent = (output.outpoint, output.sat);
            case.keys.claim(&case.terms, &claim, spent, Script::from_bytes(&[]), 253).expect("it is worth it")
        }
        Means::SecondStage { transaction, signature, preimage } => {
            transaction.complete(&case.keys, transaction.transaction().clone(), &signature, preimage)
        }
    }
}

fn kinds() -> [ChannelType; 2] {
    [ChannelType::STATIC_REMOTEKEY, ChannelType::ANCHORS]
}

#[test]
fn our_commitment_gives_our_balance_back_after_the_delay() {
    for kind in kinds() {
        let story = Story::new(kind);
        let mut tracker = story.closed_by(story.commitment(Side::Local, NUMBER).transaction());
        assert_eq!(tracker.headline(), "Tracking our own unilateral close");
        assert_eq!(tracker.due(CLOSED_AT + OUR_DELAY - 2), [0; 0]);
        let (outpoint, tx) = due(&mut tracker, CLOSED_AT + OUR_DELAY - 1);
        tracker.take_effects();
        assert!(tracker.output_spent(outpoint, &tx, 0, CLOSED_AT + OUR_DELAY));
        assert_eq!(tags(&tracker.take_effects()), [Tag::DelayedToUs, Tag::ToWallet]);
    }
}

#[test]
fn an_htlc_of_ours_comes_back_in_two_stages() {
    for kind in kinds() {
        let story = Story::new(kind);
        let mut tracker = story.closed_by(story.commitment(Side::Local, NUMBER).transaction());
        due(&mut tracker, CLOSED_AT + OUR_DELAY - 1);
        assert_eq!(tracker.due(EXPIRY - 1), [0; 0]);
        let (outpoint, tx) = due(&mut tracker, EXPIRY);
        assert!(tracker.output_spent(outpoint, &tx, 0, EXPIRY + 1));
        for depth in [1, 2] {
            tracker.tx_depth(tx.compute_txid(), depth);
        }
        assert!(asked(&mut tracker).is_empty());
        tracker.tx_depth(tx.compute_txid(), 3);
        assert!(matches!(asked(&mut tracker)[..], [Effect::Failed { id: 7 }]));
        let (second, sweep) = due(&mut tracker, EXPIRY + OUR_DELAY);
        assert_eq!(second.txid, tx.compute_txid());
        assert!(tracker.output_spent(second, &sweep, 0, EXPIRY + 1 + OUR_DELAY));
        assert_eq!(tags(&tracker.take_effects()), [Tag::HtlcTx, Tag::ToWallet]);
    }
}

#[test]
fn an_htlc_of_the_peer_is_taken_when_its_preimage_is_known() {
    let story = Story::new(ChannelType::ANCHORS);
    let mut tracker = story.closed_by(story.commitment(Side::Local, NUMBER).transaction());
    assert_eq!(tracker.due(CLOSED_AT), [0; 0]);
    tracker.know_preimage(7, preimage_of(Side::Remote));
    let (outpoint, tx) = due(&mut tracker, CLOSED_AT);
    tracker.take_effects();
    assert!(tracker.output_spent(outpoint, &tx, 0, CLOSED_AT + 1));
    assert_eq!(tags(&tracker.take_effects()), [Tag::HtlcFulfill, Tag::HtlcFulfill]);
}

#[test]
fn an_htlc_of_the_peer_is_the_peers_when_it_has_expired() {
    let story = Story::new(ChannelType::ANCHORS);
    let commitment = story.commitment(Side::Local, NUMBER);
    let mut tracker = story.closed_by(commitment.transaction());
    tracker.take_effects();
    tracker.tx_depth(commitment.txid(), EXPIRY - CLOSED_AT - 1);
    assert_eq!(tags(&tracker.take_effects()), []);
    tracker.tx_depth(commitment.txid(), EXPIRY - CLOSED_AT);
    assert_eq!(tags(&tracker.take_effects()), [Tag::HtlcTimeout]);
}

#[test]
fn the_peers_commitment_pays_the_wallet_at_once() {
    for kind in kinds() {
        let story = Story::new(kind);
        let commitment = story.commitment(Side::Remote, NUMBER);
        let mut tracker = story.closed_by(commitment.transaction());
        assert_eq!(tracker.headline(), "Tracking their unilateral close");
        let asked = asked(&mut tracker);
        let [Effect::ToWallet { outpoint, sat, .. }] = &asked[..] else { panic!("{asked:?}") };
        let output = &commitment.transaction().output[outpoint.vout as usize];
        assert_eq!((outpoint.txid, *sat), (commitment.txid(), output.value.to_sat()));
        assert_eq!(tracker.due(CLOSED_AT), [0; 0]);
    }
}

#[test]
fn both_unrevoked_commitments_of_the_peer_are_known() {
    let story = Story::new(ChannelType::ANCHORS);
    for number in [NUMBER, NUMBER + 1] {
        let tracker = story.closed_by(story.commitment(Side::Remote, number).transaction());
        assert_eq!(tracker.headline(), "Tracking their unilateral close");
    }
    let tracker = story.closed_by(story.commitment(Side::Remote, NUMBER + 2).transaction());
    assert_eq!(tracker.headline(), "ERROR: Unknown commitment, recovering our funds!");
}

#[test]
fn a_preimage_that_the_peer_shows_is_told() {
    let story = Story::new(ChannelType::ANCHORS);
    let mut tracker = story.closed_by(story.commitment(Side::Local, NUMBER).transaction());
    let commitment = story.seen_by_peer(Side::Local, NUMBER);
    let output = commitment.htlcs().iter().find(|output| output.htlc.offered_by == Side::Remote);
    let output = output.expect("our HTLC, as the peer sees it");
    let claim = Claim::HtlcFulfilled {
        per_commitment_point: commitment.spec().per_commitment_point,
        htlc: output.htlc,
        preimage: preimage_of(Side::Local),
    };
    let outpoint = OutPoint { txid: commitment.txid(), vout: output.vout };
    let tx = story.theirs.claim(&story.seen, &claim, (outpoint, 50_000), Script::from_bytes(&[]), 253);
    asked(&mut tracker);
    assert!(tracker.output_spent(outpoint, &tx.expect("it is worth it"), 0, CLOSED_AT + 1));
    let effects = tracker.take_effects();
    assert_eq!(tags(&effects), [Tag::HtlcFulfill, Tag::HtlcFulfill], "made, and spent");
    let all_of_channel = effects.iter().all(|effect| match effect {
        Effect::Movement(movement) => {
            matches!(
                **movement,
                Movement::Chain(ChainMove { account: Account::External, originating: Some(_), .. })
            )
        }
        _ => true,
    });
    assert!(all_of_channel, "it comes from the channel: {effects:?}");
    let told = preimage_of(Side::Local);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Fulfilled(preimage) if *preimage == told)));
}

#[test]
fn a_revoked_commitment_is_taken_whole() {
    for kind in kinds() {
        let story = Story::new(kind);
        let commitment = story.commitment(Side::Remote, NUMBER - 1);
        let mut tracker = story.closed_by(commitment.transaction());
        assert_eq!(tracker.headline(), "Tracking their illegal close: taking all funds");
        let places = tracker.due(CLOSED_AT);
        assert_eq!(places.len(), 3, "its balance and two HTLCs");
        for place in places {
            let (outpoint, tx) = (tracker.output(place).outpoint, made(&tracker, place));
            tracker.take_effects();
            assert!(tracker.output_spent(outpoint, &tx, 0, CLOSED_AT + 1));
            let tags = tags(&tracker.take_effects());
            assert_eq!(tags, [Tag::Penalty, Tag::ToWallet, Tag::PenaltyAdj, Tag::PenaltyAdj]);
        }
    }
}

#[test]
fn what_a_cheating_peer_has_taken_is_taken_back() {
    let story = Story::new(ChannelType::ANCHORS);
    let commitment = story.commitment(Side::Remote, NUMBER - 1);
    let mut tracker = story.closed_by(commitment.transaction());
    // The peer was quicker with its HTLC transaction for our HTLC, and shows the preimage.
    let theirs = story.seen_by_peer(Side::Remote, NUMBER - 1);
    let mut second = theirs.htlc_transactions().into_iter();
    let second = second.find(|one| one.output().htlc.offered_by == Side::Remote).expect("our HTLC");
    let signature = story.ours.sign_commitment(&commitment).htlc_signatures[0];
    let preimage = Some(preimage_of(Side::Local));
    let tx = second.complete(&story.theirs, second.transaction().clone(), &signature, preimage);
    let outpoint = OutPoint { txid: commitment.txid(), vout: second.output().vout };
    assert!(tracker.output_spent(outpoint, &tx, 0, CLOSED_AT + 1));
    let effects = asked(&mut tracker);
    let told = preimage_of(Side::Local);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Fulfilled(preimage) if *preimage == told)));
    let place = *tracker.due(CLOSED_AT + 1).last().expect("the second stage is due");
    assert_eq!(tracker.output(place).outpoint.txid, tx.compute_txid());
    let secret = SecretKey::from_slice(&story.theirs.per_commitment_secret(NUMBER - 1)).expect("a key");
    let proposal = tracker.output(place).proposal.clone().expect("a penalty");
    assert!(
        matches!(proposal.means, Means::Claim(Claim::Revoked { per_commitment_secret }) if per_commitment_secret == secret)
    );
}

#[test]
fn a_mutual_close_is_forgotten_after_a_hundred_blocks() {
    let story = Story::new(ChannelType::ANCHORS);
    let [ours, theirs] = scripts();
    let closing = ClosingTransaction::new(&story.terms, [600_000_000, 400_000_000], [&ours, &theirs], 500);
    let closing = closing.expect("both can pay");
    let mut tracker = story.closed_by(closing.transaction());
    assert_eq!(tracker.headline(), "Tracking mutual close transaction");
    assert_eq!(tags(&tracker.take_effects()), [Tag::ToThem]);
    let txid = closing.transaction().compute_txid();
    tracker.tx_depth(txid, 1);
    let status = "All outputs resolved: waiting 99 more blocks before forgetting channel";
    assert_eq!(tracker.status(), Some(status));
    tracker.tx_depth(txid, 99);
    assert!(asked(&mut tracker).is_empty());
    tracker.tx_depth(txid, 100);
    assert!(matches!(asked(&mut tracker)[..], [Effect::Forget]));
}

#[test]
fn an_htlc_without_an_output_fails() {
    let story = Story::new(ChannelType::ANCHORS);
    let mut case = story.case();
    let dust = CommitmentHtlc { id: 8, amount_msat: 1000, ..htlc(Side::Local) };
    let committed = KnownHtlc { htlc: dust, state: HtlcState::SentAddAckRevocation, preimage: None };
    let later = CommitmentHtlc { id: 9, ..dust };
    let uncommitted = KnownHtlc { htlc: later, state: HtlcState::SentAddCommit, preimage: None };
    case.htlcs.extend([committed, uncommitted]);
    let commitment = story.commitment(Side::Local, NUMBER);
    let mut tracker = Tracker::new(case, commitment.transaction(), CLOSED_AT);
    tracker.begin(commitment.transaction());
    assert!(matches!(asked(&mut tracker)[..], [Effect::Failed { id: 8 }]));
    tracker.tx_depth(commitment.txid(), 2);
    assert!(asked(&mut tracker).is_empty());
    tracker.tx_depth(commitment.txid(), 3);
    assert!(matches!(asked(&mut tracker)[..], [Effect::Failed { id: 9 }]));
}
