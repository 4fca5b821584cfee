//! Feature bits (BOLT 9): the vectors, the names that lightningd prints, and the sets that it offers.

use bitcoin::hex::{DisplayHex, FromHex, HexToBytesError};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The even bit of each feature that lightningd v26.06 offers; the odd one is one above.
///
/// Names are BOLT 9's, as in lightningd's `common/features.h`.
pub mod bit {
    /// `option_data_loss_protect`
    pub const DATA_LOSS_PROTECT: usize = 0;
    /// `option_upfront_shutdown_script`
    pub const UPFRONT_SHUTDOWN_SCRIPT: usize = 4;
    /// `gossip_queries`
    pub const GOSSIP_QUERIES: usize = 6;
    /// `var_onion_optin`
    pub const VAR_ONION: usize = 8;
    /// `gossip_queries_ex`
    pub const GOSSIP_QUERIES_EX: usize = 10;
    /// `option_static_remotekey`
    pub const STATIC_REMOTEKEY: usize = 12;
    /// `payment_secret`
    pub const PAYMENT_SECRET: usize = 14;
    /// `basic_mpp`
    pub const BASIC_MPP: usize = 16;
    /// `option_support_large_channel`
    pub const LARGE_CHANNELS: usize = 18;
    /// `option_anchors`, without a fee on HTLC transactions
    pub const ANCHORS_ZERO_FEE_HTLC_TX: usize = 22;
    /// `option_route_blinding`
    pub const ROUTE_BLINDING: usize = 24;
    /// `option_shutdown_anysegwit`
    pub const SHUTDOWN_ANYSEGWIT: usize = 26;
    /// `option_quiesce`
    pub const QUIESCE: usize = 34;
    /// `option_onion_messages`
    pub const ONION_MESSAGES: usize = 38;
    /// `option_provide_storage`
    pub const PROVIDE_STORAGE: usize = 42;
    /// `option_channel_type`
    pub const CHANNEL_TYPE: usize = 44;
    /// `option_scid_alias`
    pub const SCID_ALIAS: usize = 46;
    /// `option_payment_metadata`
    pub const PAYMENT_METADATA: usize = 48;
    /// `option_zeroconf`
    pub const ZEROCONF: usize = 50;
    /// `keysend`, which the plugin of that name adds
    pub const KEYSEND: usize = 54;
    /// `option_splice`
    pub const SPLICE: usize = 62;
}

/// A bit vector in big-endian bytes: bit 0 is the lowest of the last byte.
///
/// Bytes are kept as they came, zeros at the front included, because lightningd prints them so; two vectors are
/// equal if the same bits are set.
#[derive(Clone, Default)]
pub struct Features(Vec<u8>);

/// Why features were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// A compulsory feature that we do not offer.
    #[error("expected no compulsory feature beyond ours, got {} (bit {bit})", feature_name(*bit))]
    Unsupported {
        /// The even bit.
        bit: usize,
    },
    /// A feature without the one that it builds on.
    #[error("expected {} beside {}, it is not offered", feature_name(*missing), feature_name(*depender))]
    MissingDependency {
        /// Even bit of the feature that is set.
        depender: usize,
        /// Even bit of the one that is not.
        missing: usize,
    },
    /// A feature was to be added to a set that has it.
    #[error("expected a feature that is not yet offered in {place}, got {} (bit {bit})", feature_name(*bit))]
    AlreadyOffered {
        /// The bit that was to be added.
        bit: usize,
        /// Where, in the words of lightningd's `feature_set`.
        place: &'static str,
    },
}

impl Features {
    /// No bit set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The vector with these bits set, no longer than needed.
    pub fn from_bits(bits: &[usize]) -> Self {
        let mut features = Self::new();
        for bit in bits {
            features.set(*bit);
        }
        features
    }

    /// Takes the bytes as they are.
    pub fn from_be_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, most significant first.
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a bit; the vector grows as needed.
    pub fn set(&mut self, bit: usize) {
        let length = bit / 8 + 1;
        if length > self.0.len() {
            self.0.splice(..0, vec![0; length - self.0.len()]);
        }
        let index = self.0.len() - length;
        self.0[index] |= 1 << (bit % 8);
    }

    /// Whether exactly this bit is set.
    pub fn is_set(&self, bit: usize) -> bool {
        let byte = self.0.iter().rev().nth(bit / 8);
        byte.is_some_and(|byte| byte & 1 << (bit % 8) != 0)
    }

    /// Whether the feature is offered: its even or its odd bit is set.
    pub fn offers(&self, bit: usize) -> bool {
        self.is_set(bit & !1) || self.is_set(bit | 1)
    }

    /// The set bits in ascending order.
    pub fn bits(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 8).filter(|bit| self.is_set(*bit))
    }

    /// The bits of both, as long as the longer one.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let (mut long, short) =
            if self.0.len() < other.0.len() { (other.clone(), self) } else { (self.clone(), other) };
        for (byte, other) in long.0.iter_mut().rev().zip(short.0.iter().rev()) {
            *byte |= other;
        }
        long
    }

    /// Judges the features of a peer's `init`, or of an invoice, by `ours`.
    ///
    /// # Errors
    ///
    /// If an even bit is set that `ours` does not offer, or `basic_mpp` comes without `payment_secret` (the one
    /// dependency that lightningd checks). The connection is then to be closed (BOLT 1).
    pub fn check(&self, ours: &Self) -> Result<(), FeatureError> {
        if let Some(bit) = self.bits().find(|bit| bit % 2 == 0 && !ours.offers(*bit)) {
            return Err(FeatureError::Unsupported { bit });
        }
        if self.offers(bit::BASIC_MPP) && !self.offers(bit::PAYMENT_SECRET) {
            return Err(FeatureError::MissingDependency {
                depender: bit::BASIC_MPP,
                missing: bit::PAYMENT_SECRET,
            });
        }
        Ok(())
    }
}

impl PartialEq for Features {
    fn eq(&self, other: &Self) -> bool {
        self.bits().eq(other.bits())
    }
}

impl Eq for Features {}

impl fmt::Display for Features {
    /// Lower-case hex, empty for no bytes: as lightningd prints features.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_hex())
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features({self})")
    }
}

impl FromStr for Features {
    type Err = HexToBytesError;

    fn from_str(hex: &str) -> Result<Self, Self::Err> {
        Vec::from_hex(hex).map(Self)
    }
}

/// What a node offers, per place, with the places of lightningd's `feature_set` (and of a plugin's
/// `featurebits`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeatureSet {
    /// `features` of our `init` message.
    pub init: Features,
    /// `globalfeatures` of our `init` message; lightningd does not show them.
    pub global_init: Features,
    /// Our `node_announcement`.
    pub node: Features,
    /// Our `channel_announcement`s.
    pub channel: Features,
    /// What we accept in BOLT 11 invoices, and put into ours (except `option_payment_metadata`).
    pub invoice: Features,
    /// Our BOLT 12 offers.
    pub bolt12_offer: Features,
    /// Our BOLT 12 invoice requests.
    pub bolt12_invreq: Features,
    /// Our BOLT 12 invoices.
    pub bolt12_invoice: Features,
    /// What a `channel_type` may have.
    pub channel_type: Features,
}

impl FeatureSet {
    /// What lightningd v26.06 offers by default, with its own plugins: `init` is `800898880a8a59a1`.
    pub fn lightningd_v26_06() -> Self {
        let init = Features::from_bits(&[
            bit::DATA_LOSS_PROTECT,
            bit::UPFRONT_SHUTDOWN_SCRIPT | 1,
            bit::GOSSIP_QUERIES | 1,
            bit::VAR_ONION,
            bit::GOSSIP_QUERIES_EX | 1,
            bit::STATIC_REMOTEKEY,
            bit::PAYMENT_SECRET,
            bit::BASIC_MPP | 1,
            bit::LARGE_CHANNELS | 1,
            bit::ANCHORS_ZERO_FEE_HTLC_TX | 1,
            bit::ROUTE_BLINDING | 1,
            bit::SHUTDOWN_ANYSEGWIT | 1,
            bit::QUIESCE | 1,
            bit::ONION_MESSAGES | 1,
            bit::PROVIDE_STORAGE | 1,
            bit::CHANNEL_TYPE,
            bit::SCID_ALIAS | 1,
            bit::ZEROCONF | 1,
            bit::SPLICE | 1,
        ]);
        let mut node = init.clone();
        node.set(bit::KEYSEND | 1);
        Self {
            init,
            global_init: Features::from_bits(&[bit::VAR_ONION, bit::STATIC_REMOTEKEY]),
            node,
            channel: Features::new(),
            invoice: Features::from_bits(&[
                bit::VAR_ONION,
                bit::PAYMENT_SECRET,
                bit::BASIC_MPP | 1,
                bit::ROUTE_BLINDING | 1,
                bit::PAYMENT_METADATA | 1,
            ]),
            bolt12_offer: Features::new(),
            bolt12_invreq: Features::new(),
            bolt12_invoice: Features::from_bits(&[bit::BASIC_MPP | 1]),
            channel_type: Features::from_bits(&[
                bit::ANCHORS_ZERO_FEE_HTLC_TX | 1,
                bit::SCID_ALIAS | 1,
                bit::ZEROCONF | 1,
            ]),
        }
    }

    /// The set with these places, in hex; the others are empty.
    ///
    /// # Errors
    ///
    /// If something is no hex.
    pub fn from_hex(places: &[(&str, &str)]) -> Result<Self, HexToBytesError> {
        let mut set = Self::default();
        let names = set.places().map(|(name, _)| name);
        for (name, place) in names.into_iter().zip(set.places_mut()) {
            if let Some((_, hex)) = places.iter().find(|(given, _)| *given == name) {
                *place = hex.parse()?;
            }
        }
        Ok(set)
    }

    /// Adds what a plugin's manifest asks for in `featurebits`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::AlreadyOffered`] if a feature is there, in either parity; nothing is then added.
    pub fn add(&mut self, other: &Self) -> Result<(), FeatureError> {
        for ((place, ours), (_, theirs)) in self.places().into_iter().zip(other.places()) {
            if let Some(bit) = theirs.bits().find(|bit| ours.offers(*bit)) {
                return Err(FeatureError::AlreadyOffered { bit, place });
            }
        }
        for (ours, (_, theirs)) in self.places_mut().into_iter().zip(other.places()) {
            *ours = ours.or(theirs);
        }
        Ok(())
    }

    /// Takes away what a plugin's `featurebits` added.
    pub fn remove(&mut self, other: &Self) {
        for (ours, (_, theirs)) in self.places_mut().into_iter().zip(other.places()) {
            *ours = Features::from_bits(&ours.bits().filter(|bit| !theirs.is_set(*bit)).collect::<Vec<_>>());
        }
    }

    /// Each place with its name.
    pub fn places(&self) -> [(&'static str, &Features); 9] {
        [
            ("init", &self.init),
            ("global_init", &self.global_init),
            ("node", &self.node),
            ("channel", &self.channel),
            ("invoice", &self.invoice),
            ("bolt12_offer", &self.bolt12_offer),
            ("bolt12_invreq", &self.bolt12_invreq),
            ("bolt12_invoice", &self.bolt12_invoice),
            ("channel_type", &self.channel_type),
        ]
    }

    fn places_mut(&mut self) -> [&mut Features; 9] {
        [
            &mut self.init,
            &mut self.global_init,
            &mut self.node,
            &mut self.channel,
            &mut self.invoice,
            &mut self.bolt12_offer,
            &mut self.bolt12_invreq,
            &mut self.bolt12_invoice,
            &mut self.channel_type,
        ]
    }
}

/// The name of a bit as lightningd's `--list-features-only` prints it, for example
/// `option_static_remotekey/even`.
pub fn feature_name(bit: usize) -> String {
    let parity = if bit.is_multiple_of(2) { "even" } else { "odd" };
    let even = bit & !1;
    match NAMES.iter().find(|(named, _)| *named == even) {
        Some((_, name)) => format!("{name}/{parity}"),
        None => format!("option_unknown_{even}/{parity}"),
    }
}

/// Even bits and names, from `feature_name` in lightningd's `common/features.c`.
const NAMES: [(usize, &str); 27] = [
    (0, "option_data_loss_protect"),
    (2, "option_initial_routing_sync"),
    (4, "option_upfront_shutdown_script"),
    (6, "option_gossip_queries"),
    (8, "option_var_onion_optin"),
    (10, "option_gossip_queries_ex"),
    (12, "option_static_remotekey"),
    (14, "option_payment_secret"),
    (16, "option_basic_mpp"),
    (18, "option_support_large_channel"),
    (20, "option_anchor_outputs"),
    (22, "option_anchors"),
    (24, "option_route_blinding"),
    (26, "option_shutdown_anysegwit"),
    (28, "option_dual_fund"),
    (30, "option_amp"),
    (34, "option_quiesce"),
    (38, "option_onion_messages"),
    (42, "option_provide_storage"),
    (44, "option_channel_type"),
    (46, "option_scid_alias"),
    (48, "option_payment_metadata"),
    (50, "option_zeroconf"),
    (54, "option_keysend"),
    (56, "option_trampoline_routing"),
    (62, "option_splice"),
    (162, "option_experimental_splice"),
];
