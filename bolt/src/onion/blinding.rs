//! Blinded paths: routes of which a sender knows the first node only (BOLT 4, "Route Blinding").

use super::secret::{OnionSecret, key};
use crate::message::MessageError;
use crate::message::field::{Field, Fields, read_whole};
use crate::noise::{open, seal};
use crate::short_channel_id::ShortChannelId;
use crate::tlv::TlvStream;
use bitcoin::secp256k1::{PublicKey, Scalar, Secp256k1, SecretKey};

const SHORT_CHANNEL_ID: u64 = 2;
const NEXT_NODE_ID: u64 = 4;
const PATH_ID: u64 = 6;
const NEXT_PATH_KEY_OVERRIDE: u64 = 8;
const PAYMENT_RELAY: u64 = 10;
const PAYMENT_CONSTRAINTS: u64 = 12;
const ALLOWED_FEATURES: u64 = 14;

/// The even types of `encrypted_data_tlv`.
const KNOWN: [u64; 7] = [
    SHORT_CHANNEL_ID,
    NEXT_NODE_ID,
    PATH_ID,
    NEXT_PATH_KEY_OVERRIDE,
    PAYMENT_RELAY,
    PAYMENT_CONSTRAINTS,
    ALLOWED_FEATURES,
];

/// A way to somebody who does not say who it is: `blinded_path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindedPath {
    /// The one node whose name is told.
    pub first_node: FirstNode,
    /// With which the first node reads what it is told.
    pub first_path_key: PublicKey,
    /// The first node and all behind it.
    pub hops: Vec<BlindedHop>,
}

/// A node by its id or by a channel of it: `sciddir_or_pubkey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstNode {
    /// The node with this id.
    Id(PublicKey),
    /// A node of this channel.
    Channel {
        /// Which channel.
        short_channel_id: ShortChannelId,
        /// 0 is `node_id_1` of its announcement, 1 is `node_id_2`.
        direction: u8,
    },
}

/// A node of a path: `blinded_path_hop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindedHop {
    /// A key that only the node knows the private key of, and only together with the path key.
    pub blinded_node_id: PublicKey,
    /// A [`RecipientData`] that only the node can read.
    pub encrypted_recipient_data: Vec<u8>,
}

/// What the creator of a path tells one of its nodes: `encrypted_data_tlv`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipientData {
    /// The channel to the next node.
    pub short_channel_id: Option<ShortChannelId>,
    /// The next node.
    pub next_node_id: Option<PublicKey>,
    /// By which the last node knows its own paths again.
    pub path_id: Option<Vec<u8>>,
    /// The path key of the next node, where another path begins there.
    pub next_path_key_override: Option<PublicKey>,
    /// Padding, what is said of payments, and unknown odd types.
    pub others: TlvStream,
}

/// What the creator of a path shares with one of its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathSecret {
    path_key: PublicKey,
    shared: OnionSecret,
}

impl BlindedPath {
    /// Makes the path through some nodes, each with what it is told. `path_key` is the private key of `first_path_key`.
    ///
    /// # Panics
    ///
    /// If there are no nodes.
    #[must_use]
    pub fn create(path_key: &SecretKey, nodes: &[(PublicKey, RecipientData)]) -> Self {
        let secp = Secp256k1::signing_only();
        let (first, _) = nodes.first().expect("a path begins somewhere");
        let mut key = *path_key;
        let hops = nodes.iter().map(|(node_id, data)| {
            let secret =
                PathSecret { path_key: key.public_key(&secp), shared: OnionSecret::new(node_id, &key) };
            key = key
                .mul_tweak(&secret.step())
                .expect("a hash is neither zero nor above the order of the curve");
            secret.hop(node_id, data)
        });
        let hops = hops.collect();
        Self { first_node: FirstNode::Id(*first), first_path_key: path_key.public_key(&secp), hops }
    }

    /// Reads a path that fills `bytes`.
    ///
    /// # Errors
    ///
    /// If it is cut off, has more behind it, or a key is no point.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        read_whole("blinded_path", "path", bytes)
    }

    /// The path as it goes over the wire.
    ///
    /// # Panics
    ///
    /// If it has more than 255 hops, or one is told more than 65535 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

impl Field for BlindedPath {
    fn read(fields: &mut Fields<'_>, _: &'static str) -> Result<Self, MessageError> {
        let (first_node, first_path_key) = (fields.read("first_node_id")?, fields.read("first_path_key")?);
        let num_hops: u8 = fields.read("num_hops")?;
        let hop = |_| {
            Ok(BlindedHop {
                blinded_node_id: fields.read("blinded_node_id")?,
                encrypted_recipient_data: fields.read("encrypted_recipient_data")?,
            })
        };
        let hops = (0..num_hops).map(hop).collect::<Result<_, MessageError>>()?;
        Ok(Self { first_node, first_path_key, hops })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.first_node.write(out);
        self.first_path_key.write(out);
        u8::try_from(self.hops.len()).expect("a path has at most 255 hops").write(out);
        for hop in &self.hops {
            hop.blinded_node_id.write(out);
            hop.encrypted_recipient_data.write(out);
        }
    }
}

impl Field for FirstNode {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        match fields.peek() {
            Some(direction @ 0..=1) => {
                let _: u8 = fields.read(name)?;
                Ok(Self::Channel { short_channel_id: fields.read(name)?, direction })
            }
            _ => fields.read(name).map(Self::Id),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Id(id) => id.write(out),
            Self::Channel { short_channel_id, direction } => {
                direction.write(out);
                short_channel_id.write(out);
            }
        }
    }
}

impl RecipientData {
    /// Tells a node which is the next.
    #[must_use]
    pub fn towards(next: PublicKey) -> Self {
        Self { next_node_id: Some(next), ..Self::default() }
    }

    /// Tells a node through which channel to go on.
    #[must_use]
    pub fn through(short_channel_id: ShortChannelId) -> Self {
        Self { short_channel_id: Some(short_channel_id), ..Self::default() }
    }

    /// Tells the last node by what it knows that the path is its own.
    #[must_use]
    pub fn last(path_id: impl Into<Vec<u8>>) -> Self {
        Self { path_id: Some(path_id.into()), ..Self::default() }
    }

    /// Reads what was decrypted.
    ///
    /// # Errors
    ///
    /// If it is no TLV stream, has an unknown even type, or a record is not what its type says.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        const NAME: &str = "encrypted_data_tlv";
        let mut data = Self::default();
        for (kind, value) in Fields::new(NAME, bytes).tlvs(&KNOWN)?.iter() {
            match kind {
                SHORT_CHANNEL_ID => {
                    data.short_channel_id = Some(read_whole(NAME, "short_channel_id", value)?);
                }
                NEXT_NODE_ID => data.next_node_id = Some(read_whole(NAME, "next_node_id", value)?),
                PATH_ID => data.path_id = Some(value.to_vec()),
                NEXT_PATH_KEY_OVERRIDE => {
                    data.next_path_key_override = Some(read_whole(NAME, "next_path_key_override", value)?);
                }
                _ => data.others.set(kind, value),
            }
        }
        Ok(data)
    }

    /// The records, to be encrypted.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut tlvs = self.others.clone();
        if let Some(channel) = self.short_channel_id {
            tlvs.set(SHORT_CHANNEL_ID, channel.to_u64().to_be_bytes());
        }
        if let Some(id) = self.next_node_id {
            tlvs.set(NEXT_NODE_ID, id.serialize());
        }
        if let Some(path_id) = &self.path_id {
            tlvs.set(PATH_ID, path_id.clone());
        }
        if let Some(path_key) = self.next_path_key_override {
            tlvs.set(NEXT_PATH_KEY_OVERRIDE, path_key.serialize());
        }
        tlvs.encode()
    }
}

impl PathSecret {
    /// The secret of the node whose key is `node_key`, which was handed `path_key`.
    #[must_use]
    pub fn new(path_key: &PublicKey, node_key: &SecretKey) -> Self {
        Self { path_key: *path_key, shared: OnionSecret::new(path_key, node_key) }
    }

    /// The key with which the node peels onions that came along the path.
    #[must_use]
    pub fn blinded_key(&self, node_key: &SecretKey) -> SecretKey {
        node_key.mul_tweak(&self.blinding()).expect("neither zero nor above the order of the curve")
    }

    /// Encrypts what the node is told.
    #[must_use]
    pub fn seal(&self, data: &RecipientData) -> Vec<u8> {
        seal(&self.shared.key("rho"), 0, &[], &data.encode())
    }

    /// Decrypts what the node is told; `None` if it was not meant for it.
    #[must_use]
    pub fn open(&self, encrypted: &[u8]) -> Option<Vec<u8>> {
        open(&self.shared.key("rho"), 0, &[], encrypted)
    }

    /// The path key of the next node, unless the node is told another.
    #[must_use]
    pub fn next_path_key(&self) -> PublicKey {
        multiplied(&self.path_key, &self.step())
    }

    fn hop(&self, node_id: &PublicKey, data: &RecipientData) -> BlindedHop {
        let blinded_node_id = multiplied(node_id, &self.blinding());
        BlindedHop { blinded_node_id, encrypted_recipient_data: self.seal(data) }
    }

    /// What a path key is multiplied with to be the next.
    fn step(&self) -> Scalar {
        self.shared.blinding_factor(&self.path_key)
    }

    /// What a node's key is multiplied with to be blinded.
    fn blinding(&self) -> Scalar {
        let factor = key("blinded_node_id", &self.shared.0);
        Scalar::from_be_bytes(factor).expect("a MAC above the order of the curve is not to be found")
    }
}

fn multiplied(point: &PublicKey, factor: &Scalar) -> PublicKey {
    let product = point.mul_tweak(&Secp256k1::verification_only(), factor);
    product.expect("a hash is neither zero nor above the order of the curve")
}
