//! The state machine of a channel, against itself: two of them, and the messages between them.

mod closing;
mod feerates;
mod hostile;
mod htlcs;
mod interleavings;
mod limits;
mod opening;
mod reestablishing;

use bitcoin::constants::ChainHash;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::SecretKey;
use bitcoin::{OutPoint, ScriptBuf, Txid};
use leyden_bolt::channel::{
    Acceptance, AddHtlc, Channel, ChannelError, ChannelOutput, OpenRequest, Opening, OpeningLimits, OurSide,
    Removal,
};
use leyden_bolt::channel_keys::{ChannelKeys, ChannelSecrets};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{ChannelConfig, ChannelType, Commitment, Side};
use leyden_bolt::{ChannelId, FeatureSet, Features};
use std::collections::VecDeque;

/// The chain that all channels here are on.
const CHAIN: ChainHash = ChainHash::REGTEST;

/// What lightningd announces on regtest, but for the reserve.
const CONFIG: ChannelConfig = ChannelConfig {
    dust_limit_satoshis: 546,
    max_htlc_value_in_flight_msat: u64::MAX,
    channel_reserve_satoshis: 0,
    htlc_minimum_msat: 0,
    to_self_delay: 6,
    max_accepted_htlcs: 483,
    max_dust_htlc_exposure_msat: 50_000_000,
};

fn features() -> Features {
    FeatureSet::lightningd_v26_06().init
}

/// Keys that differ from node to node and from channel to channel.
fn keys(seed: u8) -> ChannelKeys {
    let key = |index: u8| SecretKey::from_slice(&[seed * 8 + index; 32]).expect("a key");
    ChannelKeys::new(ChannelSecrets {
        funding: key(1),
        revocation: key(2),
        htlc: key(3),
        payment: key(4),
        delayed_payment: key(5),
        per_commitment_seed: [seed * 8 + 6; 32],
    })
}

fn our_side(seed: u8, config: ChannelConfig) -> OurSide {
    OurSide {
        keys: keys(seed),
        config,
        reserve_sat: None,
        allow_dust_reserve: false,
        limits: OpeningLimits::default(),
        upfront_shutdown_script: None,
        features: features(),
        peer_features: features(),
    }
}

fn request(channel_type: ChannelType) -> OpenRequest {
    OpenRequest {
        chain_hash: CHAIN,
        temporary_channel_id: ChannelId([7; 32]),
        funding_satoshis: 1_000_000,
        push_msat: 0,
        feerate_per_kw: 1000,
        channel_type,
        announce: true,
        minimum_depth: 1,
    }
}

fn funding() -> OutPoint {
    OutPoint { txid: Txid::from_byte_array([9; 32]), vout: 1 }
}

/// A script to close to.
fn close_script(byte: u8) -> ScriptBuf {
    ScriptBuf::from_bytes([&[0, 20][..], &[byte; 20]].concat())
}

fn preimage(number: u64) -> [u8; 32] {
    let mut preimage = [0x77; 32];
    preimage[..8].copy_from_slice(&number.to_be_bytes());
    preimage
}

/// An HTLC whose preimage is `preimage(number)`.
fn htlc(number: u64, amount_msat: u64) -> AddHtlc {
    AddHtlc {
        amount_msat,
        payment_hash: sha256::Hash::hash(&preimage(number)),
        cltv_expiry: 500,
        onion: Box::new([0; 1366]),
        tlvs: TlvStream::new(),
    }
}

/// A node of a [`Pair`].
struct Peer {
    channel: Channel,
    /// Messages that are on their way to it.
    inbox: VecDeque<ChannelMessage>,
    /// What its channel told, messages excepted.
    events: Vec<ChannelOutput>,
}

/// Two nodes with a channel between them. The first one opened it.
struct Pair {
    peers: [Peer; 2],
}

impl Pair {
    /// Opens a channel, with `channel_ready` not said yet.
    fn open(request: OpenRequest, configs: [ChannelConfig; 2]) -> Self {
        let [opener, acceptor] = configs;
        let (mut offered, open) = Opening::offer(our_side(1, opener), request).expect("a proposal");
        let mut received = Opening::received(our_side(2, acceptor), CHAIN, open).expect("takes the proposal");
        let accept =
            received.accept(Acceptance { minimum_depth: 1, ..Acceptance::default() }).expect("accepts");
        offered.accepted(&accept).expect("takes the answer");
        let created = offered.fund(funding()).expect("funds");
        let (second, signed) = received.funding_created(&created).expect("a signature");
        let first = offered.funding_signed(&signed).expect("a signature");
        let peer = |channel| Peer { channel, inbox: VecDeque::new(), events: Vec::new() };
        Self { peers: [peer(first), peer(second)] }
    }

    /// Opens a channel and makes it ready; no message is on its way.
    fn ready(request: OpenRequest, configs: [ChannelConfig; 2]) -> Self {
        let mut pair = Self::open(request, configs);
        for peer in &mut pair.peers {
            peer.channel.send_channel_ready(None);
        }
        pair.settle();
        pair
    }

    /// Half of a million sat on each side, ready.
    fn balanced(channel_type: ChannelType) -> Self {
        Self::ready(OpenRequest { push_msat: 500_000_000, ..request(channel_type) }, [CONFIG; 2])
    }

    fn channel(&mut self, node: usize) -> &mut Channel {
        &mut self.peers[node].channel
    }

    /// Puts what a node says on its way.
    fn flush(&mut self, node: usize) {
        for output in self.peers[node].channel.take_outputs() {
            match output {
                ChannelOutput::Send(message) => {
                    // What goes over the wire comes out of it.
                    let bytes = message.encode();
                    let decoded = ChannelMessage::decode(message.msg_type(), &bytes[2..]);
                    assert_eq!(decoded, Some(Ok(message.clone())));
                    self.peers[1 - node].inbox.push_back(message);
                }
                event => self.peers[node].events.push(event),
            }
        }
    }

    /// Lets a node commit.
    fn commit(&mut self, node: usize) {
        self.channel(node).commit();
        self.flush(node);
    }

    /// Lets one message arrive. `None` if none is on its way.
    fn deliver(&mut self, node: usize) -> Option<Result<(), ChannelError>> {
        let message = self.peers[node].inbox.pop_front()?;
        let received = self.channel(node).receive(message);
        self.flush(node);
        Some(received)
    }

    /// Both say what they have to say until nothing is left.
    fn settle(&mut self) {
        loop {
            for node in [0, 1] {
                self.commit(node);
            }
            let mut delivered = false;
            for node in [0, 1] {
                while let Some(received) = self.deliver(node) {
                    received.expect("two of the same kind agree");
                    delivered = true;
                }
            }
            if !delivered {
                return;
            }
        }
    }

    /// The connection ends, and messages on their way are lost.
    fn disconnect(&mut self) {
        for peer in &mut self.peers {
            peer.inbox.clear();
            peer.channel.disconnected();
        }
        for node in [0, 1] {
            self.flush(node);
        }
    }

    fn reconnect(&mut self) {
        for node in [0, 1] {
            self.channel(node).reconnected(&features(), &features());
            self.flush(node);
        }
    }

    /// A node ends and starts again: only its record is left. The connection must be gone.
    fn restart(&mut self, node: usize) {
        let channel = &self.peers[node].channel;
        let restored = Channel::restore(*channel.terms(), channel.keys().clone(), channel.record());
        self.peers[node].channel = restored.expect("what was stored is what was signed");
    }

    /// What a node was told since the last time.
    fn events(&mut self, node: usize) -> Vec<ChannelOutput> {
        std::mem::take(&mut self.peers[node].events)
    }

    /// Offers an HTLC and commits to it on both sides.
    fn add(&mut self, node: usize, add: AddHtlc) -> u64 {
        let id = self.channel(node).add_htlc(add).expect("room for it");
        self.settle();
        id
    }

    /// A node removes an HTLC of the other, on both sides.
    fn remove(&mut self, node: usize, id: u64, removal: Removal) {
        self.channel(node).remove_htlc(id, removal).expect("it is there");
        self.settle();
    }

    /// At rest, each node knows the commitment of the other, and both the same balances.
    fn assert_in_step(&self) {
        for (node, other) in [(0, 1), (1, 0)] {
            let (channel, peer) = (&self.peers[node].channel, &self.peers[other].channel);
            let remote: Vec<_> = channel.remote_commitments().iter().map(Commitment::txid).collect();
            assert_eq!(remote, [peer.local_commitment().txid()]);
            assert_eq!(channel.balance_msat(Side::Local), peer.balance_msat(Side::Remote));
        }
    }
}

/// Gives a node a message that is not from its peer, and the words with which it is refused.
fn refusal(pair: &mut Pair, node: usize, message: impl Into<ChannelMessage>) -> ChannelError {
    let before = pair.channel(node).record();
    let refused = pair.channel(node).receive(message.into()).expect_err("it breaks a rule");
    assert_eq!(pair.channel(node).record(), before, "nothing of it is taken over");
    refused
}

fn warning(text: &str) -> ChannelError {
    ChannelError::Warning(text.to_owned())
}
