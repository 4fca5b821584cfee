//! `signmessage`, `checkmessage`: text signed with the node's key (`lightningd/signmessage.c`). The signature
//! is written in z-base-32, as other implementations do.

use super::Command;
use super::params::{Params, Shape, invalid};
use crate::gossip::listing::Listnodes;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::bech32::primitives::gf32::Fe32;
use bitcoin::bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use leyden_protocol::message::RpcError;
use serde_json::json;

/// The key of a signature is nobody that gossip tells of (`SIGNMESSAGE_PUBKEY_NOT_FOUND`).
const PUBKEY_NOT_FOUND: i64 = 1301;

/// The longest message in bytes.
const MESSAGE_LIMIT: usize = 65_535;

/// The digits of z-base-32, from 0 to 31.
const ZBASE32: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// What is added to the recovery id in the first byte of a signature.
const RECOVERY_BASE: u8 = 31;

/// A signature: the recovery id and 64 bytes.
const SIGNATURE_LENGTH: usize = 65;

/// `signmessage message`.
pub(crate) struct Signmessage {
    message: String,
}

impl Command for Signmessage {
    const NAME: &'static str = "signmessage";
    const TAKES: &'static [Shape] = &[Shape::required("message")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let message = params.string("message")?;
        if message.len() > MESSAGE_LIMIT {
            return Err(invalid("Message must be < 64k"));
        }
        Ok(Self { message })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let (recovery, signature) = sign(&self.message, &node.node_key);
        let zbase = to_zbase32(&[&[RECOVERY_BASE + recovery], &signature[..]].concat());
        let result = json!({ "signature": hex::encode(signature), "recid": format!("{recovery:02x}"), "zbase": zbase });
        node.reply(&request.client, &result);
        Ok(())
    }
}

/// `checkmessage message zbase [pubkey]`.
pub(crate) struct Checkmessage {
    message: String,
    signature: RecoverableSignature,
    pubkey: Option<PublicKey>,
}

impl Command for Checkmessage {
    const NAME: &'static str = "checkmessage";
    const TAKES: &'static [Shape] =
        &[Shape::required("message"), Shape::required("zbase"), Shape::optional("pubkey")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let message = params.string("message")?;
        let zbase = params.string("zbase")?;
        let pubkey = params.optional_pubkey("pubkey")?;
        let bytes = from_zbase32(&zbase).ok_or_else(|| invalid("zbase is not valid zbase32"))?;
        let Ok([recovery, signature @ ..]) = <[u8; SIGNATURE_LENGTH]>::try_from(&bytes[..]) else {
            let how = if bytes.len() < SIGNATURE_LENGTH { "short" } else { "long" };
            return Err(invalid(format!("zbase is too {how}")));
        };
        let recovery = RecoveryId::from_i32(i32::from(recovery) - i32::from(RECOVERY_BASE));
        let signature =
            recovery.and_then(|recovery| RecoverableSignature::from_compact(&signature, recovery));
        let signature = signature.map_err(|_| invalid("cannot parse zbase signature"))?;
        Ok(Self { message, signature, pubkey })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Ok(signer) =
            Secp256k1::verification_only().recover_ecdsa(&digest(&self.message), &self.signature)
        else {
            node.reply(&request.client, &json!({ "verified": false }));
            return Ok(());
        };
        // Only the plugin `topology` knows the graph.
        let looks = self.pubkey.is_none() && node.own_command(Listnodes::NAME).is_some();
        if looks && !node.gossip.graph.nodes().any(|known| known.id == signer) {
            let error = RpcError::new(PUBKEY_NOT_FOUND, "pubkey not found in the graph");
            return Err(RpcError { data: Some(json!({ "claimed_key": signer.to_string() })), ..error });
        }
        let verified = looks || self.pubkey == Some(signer);
        let result = json!({ "pubkey": signer.to_string(), "verified": verified });
        node.reply(&request.client, &result);
        Ok(())
    }
}

fn digest(message: &str) -> Message {
    let prefixed = [b"Lightning Signed Message:", message.as_bytes()].concat();
    Message::from_digest(sha256d::Hash::hash(&prefixed).to_byte_array())
}

/// The recovery id and the signature.
fn sign(message: &str, key: &SecretKey) -> (u8, [u8; 64]) {
    let signature = Secp256k1::signing_only().sign_ecdsa_recoverable(&digest(message), key);
    let (recovery, signature) = signature.serialize_compact();
    (u8::try_from(recovery.to_i32()).expect("a recovery id is below 4"), signature)
}

fn to_zbase32(bytes: &[u8]) -> String {
    bytes
        .iter()
        .copied()
        .bytes_to_fes()
        .map(|digit| char::from(ZBASE32[usize::from(digit.to_u8())]))
        .collect()
}

/// `None` if there are other characters in it, or bits left over.
fn from_zbase32(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        let place = ZBASE32.iter().position(|digit| *digit == byte)?;
        Fe32::try_from(u8::try_from(place).ok()?).ok()
    };
    let digits: Option<Vec<Fe32>> = text.bytes().map(digit).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(8))?;
    Some(digits.into_iter().fes_to_bytes().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zbase32_is_whole_groups_of_its_own_digits() {
        assert_eq!(from_zbase32("yyyyyyyy"), Some(vec![0; 5]));
        assert_eq!(from_zbase32(&to_zbase32(b"five!")), Some(b"five!".to_vec()));
        for text in ["y", "yyyyyyyyy", "yyyyyyyl", "YYYYYYYY", "yyyyyyé"] {
            assert_eq!(from_zbase32(text), None, "{text}");
        }
    }
}
