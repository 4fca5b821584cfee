//! A channel and its peer: the bytes choose what either does, what gets lost, and what the peer says in place of what it should.

#![no_main]

use bitcoin::constants::ChainHash;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::SecretKey;
use bitcoin::{OutPoint, ScriptBuf, Txid};
use leyden_bolt::channel::{
    Acceptance, AddHtlc, Channel, ChannelOutput, ClosingFees, NegotiationStep, OpenRequest, Opening,
    OpeningLimits, OurSide, Removal,
};
use leyden_bolt::channel_keys::{ChannelKeys, ChannelSecrets};
use leyden_bolt::message::{ChannelMessage, MessageError};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{ChannelConfig, ChannelType};
use leyden_bolt::{ChannelId, FeatureSet, Features};
use libfuzzer_sys::fuzz_target;
use std::collections::VecDeque;
use std::sync::LazyLock;

/// Opened and ready, one of each kind: opening takes longer than all that follows.
static READY: LazyLock<[[Channel; 2]; 2]> =
    LazyLock::new(|| [ChannelType::STATIC_REMOTEKEY, ChannelType::ANCHORS].map(ready));

/// Messages that a peer may send about a channel.
const TYPES: [u16; 13] = [36, 38, 39, 128, 130, 131, 132, 133, 134, 135, 136, 32, 259];

fn features() -> Features {
    FeatureSet::lightningd_v26_06().init
}

fn our_side(seed: u8) -> OurSide {
    let key = |index: u8| SecretKey::from_slice(&[seed * 8 + index; 32]).expect("a key");
    OurSide {
        keys: ChannelKeys::new(ChannelSecrets {
            funding: key(1),
            revocation: key(2),
            htlc: key(3),
            payment: key(4),
            delayed_payment: key(5),
            per_commitment_seed: [seed; 32],
        }),
        config: ChannelConfig {
            dust_limit_satoshis: 546,
            max_htlc_value_in_flight_msat: u64::MAX,
            channel_reserve_satoshis: 0,
            htlc_minimum_msat: 0,
            to_self_delay: 6,
            max_accepted_htlcs: 483,
            max_dust_htlc_exposure_msat: 50_000_000,
        },
        reserve_sat: None,
        allow_dust_reserve: false,
        limits: OpeningLimits::default(),
        upfront_shutdown_script: None,
        features: features(),
        peer_features: features(),
    }
}

fn ready(channel_type: ChannelType) -> [Channel; 2] {
    let request = OpenRequest {
        chain_hash: ChainHash::REGTEST,
        temporary_channel_id: ChannelId([7; 32]),
        funding_satoshis: 1_000_000,
        push_msat: 500_000_000,
        feerate_per_kw: 1000,
        channel_type,
        announce: true,
        minimum_depth: 1,
    };
    let (mut offered, open) = Opening::offer(our_side(1), request).expect("a proposal");
    let mut received = Opening::received(our_side(2), ChainHash::REGTEST, open).expect("in order");
    offered.accepted(&received.accept(Acceptance::default()).expect("accepts")).expect("in order");
    let created = offered.fund(OutPoint { txid: Txid::all_zeros(), vout: 0 }).expect("funds");
    let (second, signed) = received.funding_created(&created).expect("signs");
    let mut channels = [offered.funding_signed(&signed).expect("signed"), second];
    for from in [0, 1] {
        channels[from].send_channel_ready(None);
        for output in channels[from].take_outputs() {
            if let ChannelOutput::Send(message) = output {
                channels[1 - from].receive(message).expect("in order");
            }
        }
    }
    channels
}

struct World<'a> {
    bytes: &'a [u8],
    channels: [Channel; 2],
    inboxes: [VecDeque<ChannelMessage>; 2],
    closing: [bool; 2],
}

impl World<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn act(&mut self) -> Option<()> {
        let action = self.byte()?;
        let node = usize::from(action & 1);
        match action >> 1 & 15 {
            0..=3 => self.deliver(node),
            4 | 5 => self.channels[node].commit(),
            6 | 7 => {
                let number = self.byte()?;
                let amount_msat = [1_000, 600_000, 10_000_000, 300_000_000][usize::from(number % 4)];
                self.channels[node].add_htlc(htlc(number, amount_msat)).ok();
            }
            8 | 9 => {
                let number = self.byte()?;
                let removal = if number < 128 {
                    Removal::Fulfill([number; 32])
                } else {
                    Removal::Fail(vec![number; 8])
                };
                let id = self.byte()?;
                self.channels[node].remove_htlc(id.into(), removal).ok();
            }
            10 => {
                let feerate = u32::from(self.byte()?) * 100;
                self.channels[node].update_fee(feerate);
            }
            11 => self.reconnect(node),
            12 => self.channels[node].shutdown(ScriptBuf::from_bytes([&[0, 20][..], &[1; 20]].concat())),
            13 if self.closing[node] => {
                let step = NegotiationStep::Percent(u64::from(self.byte()?));
                let fees = ClosingFees { min_per_kw: 253, wanted_per_kw: 500, max_per_kw: 2000, step };
                self.channels[node].negotiate_close(fees).ok();
            }
            _ => {
                let message = self.message()?;
                self.receive(0, message);
            }
        }
        self.flush();
        let channel = &self.channels[0];
        let restored = Channel::restore(*channel.terms(), channel.keys().clone(), channel.record());
        restored.expect("what was stored is what was signed");
        Some(())
    }

    fn deliver(&mut self, node: usize) {
        if let Some(message) = self.inboxes[node].pop_front() {
            self.receive(node, message);
        }
    }

    fn receive(&mut self, node: usize, message: ChannelMessage) {
        let before = self.channels[node].record();
        let connected = self.channels[node].is_connected();
        if self.channels[node].receive(message).is_err() && connected {
            assert_eq!(self.channels[node].record(), before);
            self.reconnect(node);
        }
    }

    fn reconnect(&mut self, restarted: usize) {
        self.inboxes = Default::default();
        self.closing = [false; 2];
        for channel in &mut self.channels {
            channel.disconnected();
        }
        let channel = &self.channels[restarted];
        let restored = Channel::restore(*channel.terms(), channel.keys().clone(), channel.record());
        self.channels[restarted] = restored.expect("what was stored is what was signed");
        for channel in &mut self.channels {
            channel.reconnected(&features(), &features());
        }
    }

    fn flush(&mut self) {
        for node in [0, 1] {
            for output in self.channels[node].take_outputs() {
                match output {
                    ChannelOutput::Send(message) => self.inboxes[1 - node].push_back(message),
                    ChannelOutput::ShutdownComplete => self.closing[node] = true,
                    _ => {}
                }
            }
        }
    }

    /// A message of the bytes' choice, about our channel; what is missing of it is zeros.
    fn message(&mut self) -> Option<ChannelMessage> {
        let msg_type = TYPES[usize::from(self.byte()?) % TYPES.len()];
        let length = usize::from(self.byte()?).min(self.bytes.len());
        let (fields, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        let mut payload = [&self.channels[0].channel_id().0, fields].concat();
        // A few fields and signatures: thousands of them would be padded one by one.
        for _ in 0..32 {
            match ChannelMessage::decode(msg_type, &payload)? {
                Ok(message) => return Some(message),
                Err(MessageError::Truncated { expected, got, .. }) => {
                    payload.resize(payload.len() + expected - got, 0);
                }
                Err(_) => return None,
            }
        }
        None
    }
}

fn htlc(number: u8, amount_msat: u64) -> AddHtlc {
    AddHtlc {
        amount_msat,
        payment_hash: sha256::Hash::hash(&[number; 32]),
        cltv_expiry: 500,
        onion: Box::new([0; 1366]),
        tlvs: TlvStream::new(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let channels = READY[usize::from(kind & 1)].clone();
    let mut world = World { bytes, channels, inboxes: Default::default(), closing: [false; 2] };
    while world.act().is_some() {}
});
