//! Node key and wallet keys, derived from the contents of `hsm_secret` as lightningd's hsmd derives them: the same
//! file gives the same node id and the same addresses.

use crate::hkdf::hkdf_sha256;
use bip39::Mnemonic;
use bitcoin::bip32::{ChildNumber, Xpriv};
use bitcoin::key::UntweakedPublicKey;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey, SignOnly};
use bitcoin::{Address, CompressedPublicKey, Network, NetworkKind};
use std::fmt;
use thiserror::Error;

/// A mnemonic without a passphrase stands behind this many zero bytes in the file.
const NO_PASSPHRASE: [u8; 32] = [0; 32];

/// The file of a node with `--encrypted-hsm` (up to v25.09): libsodium's header and ciphertext.
const ENCRYPTED_LENGTH: usize = 73;

/// The master secret of a node: 32 raw bytes (created before v25.12), or the 64-byte seed of a mnemonic.
#[derive(Clone, PartialEq, Eq)]
pub enum HsmSecret {
    /// The whole file is the secret.
    Raw([u8; 32]),
    /// BIP 39 seed of the mnemonic, without a passphrase.
    Seed([u8; 64]),
}

/// Why the contents of `hsm_secret` are no use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HsmSecretError {
    /// Neither of the two forms.
    #[error("hsm_secret: expected 32 raw bytes, or 32 zero bytes and a mnemonic, got {got} bytes")]
    Length {
        /// How many bytes there are.
        got: usize,
    },
    /// Encrypted, or a mnemonic with a passphrase.
    #[error(
        "hsm_secret: expected one without a passphrase, got {got}; make a new one, or remove the passphrase with lightning-hsmtool"
    )]
    Passphrase {
        /// Which of the two.
        got: &'static str,
    },
    /// Text behind the 32 zero bytes that is not an English BIP 39 mnemonic.
    #[error("hsm_secret: expected an English BIP 39 mnemonic after 32 zero bytes: {0}")]
    Mnemonic(String),
}

impl HsmSecret {
    /// Reads the contents of an `hsm_secret` file.
    ///
    /// # Errors
    ///
    /// If they are of neither form, or need a passphrase.
    pub fn parse(contents: &[u8]) -> Result<Self, HsmSecretError> {
        if let Ok(raw) = contents.try_into() {
            return Ok(Self::Raw(raw));
        }
        let Some((hash, words)) = contents.split_first_chunk() else {
            return Err(HsmSecretError::Length { got: contents.len() });
        };
        if contents.len() == ENCRYPTED_LENGTH {
            return Err(HsmSecretError::Passphrase { got: "an encrypted secret" });
        }
        if *hash != NO_PASSPHRASE {
            return Err(HsmSecretError::Passphrase { got: "the hash of a mnemonic's passphrase" });
        }
        let words = str::from_utf8(words).map_err(|error| HsmSecretError::Mnemonic(error.to_string()))?;
        let mnemonic = Mnemonic::parse_normalized(words);
        let mnemonic = mnemonic.map_err(|error| HsmSecretError::Mnemonic(error.to_string()))?;
        Ok(Self::Seed(mnemonic.to_seed_normalized("")))
    }

    /// The contents of a new `hsm_secret` file, as lightningd since v25.12 writes it: a mnemonic of twelve words.
    pub fn new_file(entropy: &[u8; 16]) -> Vec<u8> {
        let mnemonic = Mnemonic::from_entropy(entropy).expect("16 bytes make twelve words");
        [&NO_PASSPHRASE, mnemonic.to_string().as_bytes()].concat()
    }

    /// The private key of the node: it signs invoices and gossip, and authenticates connections.
    pub fn node_key(&self) -> SecretKey {
        // hsmd counts the salt up until the output is a valid key: one try fails in 2^127.
        (0u32..)
            .find_map(|salt| {
                let key: [u8; 32] = hkdf_sha256(&salt.to_le_bytes(), &self.bytes()[..32], b"nodeid");
                SecretKey::from_slice(&key).ok()
            })
            .expect("some salt gives a valid key")
    }

    /// The public key of the node.
    pub fn node_id(&self) -> PublicKey {
        self.node_key().public_key(&Secp256k1::signing_only())
    }

    /// The keys of the on-chain wallet.
    pub fn wallet(&self, network: Network) -> Wallet {
        let kind = NetworkKind::from(network);
        let secp = Secp256k1::signing_only();
        let derive = |master: Xpriv, path: &[ChildNumber]| {
            master.derive_priv(&secp, &path).expect("a path of a few steps can be derived")
        };
        let (zero, account) = (ChildNumber::Normal { index: 0 }, ChildNumber::Hardened { index: 0 });
        let base = match self {
            Self::Raw(_) => derive(self.legacy_master(kind), &[zero, zero]),
            Self::Seed(seed) => {
                let master = Xpriv::new_master(kind, seed).expect("one seed in 2^127 is invalid");
                let purpose = ChildNumber::Hardened { index: 86 };
                derive(master, &[purpose, account, account, zero])
            }
        };
        Wallet { base, network, secp, bip86: matches!(self, Self::Seed(_)) }
    }

    /// A secret for somebody else, bound to `info`: the answer to `makesecret`.
    pub fn derived_secret(&self, info: &[u8]) -> [u8; 32] {
        let base: [u8; 32] = hkdf_sha256(&[], self.bytes(), b"derived secrets");
        hkdf_sha256(&[], &base, info)
    }

    /// The BIP 32 root that hsmd stretches out of a raw secret.
    fn legacy_master(&self, kind: NetworkKind) -> Xpriv {
        (0u32..)
            .find_map(|salt| {
                let seed: [u8; 32] = hkdf_sha256(&salt.to_le_bytes(), self.bytes(), b"bip32 seed");
                Xpriv::new_master(kind, &seed).ok()
            })
            .expect("some salt gives a valid key")
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Raw(secret) => secret,
            Self::Seed(seed) => seed,
        }
    }
}

impl fmt::Debug for HsmSecret {
    /// Names the form and never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw(_) => "HsmSecret::Raw(..)",
            Self::Seed(_) => "HsmSecret::Seed(..)",
        })
    }
}

/// The keys of the on-chain wallet by index: `m/0/0/index` under a stretched raw secret,
/// `m/86'/0'/0'/0/index` (BIP 86) under a mnemonic, for every kind of address.
///
/// lightningd counts one index over all kinds of address; the first that `newaddr` gives out is 1.
pub struct Wallet {
    base: Xpriv,
    network: Network,
    secp: Secp256k1<SignOnly>,
    bip86: bool,
}

impl Wallet {
    /// Whether the keys are those of BIP 86, from a mnemonic. lightningd counts their index apart from the other.
    pub fn is_bip86(&self) -> bool {
        self.bip86
    }

    /// The private key at `index`.
    ///
    /// # Panics
    ///
    /// From index 2^31 on, where BIP 32 has no more unhardened keys ("Keys exhausted" in lightningd).
    pub fn secret_key(&self, index: u32) -> SecretKey {
        let child = ChildNumber::from_normal_idx(index).expect("a wallet index is below 2^31");
        self.base.derive_priv(&self.secp, &[child]).expect("a child key can be derived").private_key
    }

    /// The public key at `index`. Panics as [`Self::secret_key`] does.
    pub fn public_key(&self, index: u32) -> PublicKey {
        self.secret_key(index).public_key(&self.secp)
    }

    /// The P2WPKH address at `index`, `bech32` of `newaddr`. Panics as [`Self::secret_key`] does.
    pub fn p2wpkh(&self, index: u32) -> Address {
        Address::p2wpkh(&CompressedPublicKey(self.public_key(index)), self.network)
    }

    /// The key-path P2TR address at `index`, `p2tr` of `newaddr`. Panics as [`Self::secret_key`] does.
    pub fn p2tr(&self, index: u32) -> Address {
        let internal = UntweakedPublicKey::from(self.public_key(index));
        Address::p2tr(&Secp256k1::verification_only(), internal, None, self.network)
    }
}
