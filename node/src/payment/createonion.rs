//! `createonion` (`lightningd/pay.c:json_createonion`).

use crate::command::Command;
use crate::command::params::{Params, Shape, invalid, wrong_token};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::secp256k1::SecretKey;
use leyden_bolt::integer::read_bigsize;
use leyden_bolt::onion::{Hop, OnionPacket, packet::PAYLOADS_LENGTH};
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// `createonion hops assocdata [session_key] [onion_size]`.
pub(crate) struct Createonion {
    hops: Vec<Hop>,
    associated_data: Vec<u8>,
    session_key: Option<SecretKey>,
    /// Of all payloads together.
    length: usize,
}

impl Command for Createonion {
    const NAME: &'static str = "createonion";
    const TAKES: &'static [Shape] = &[
        Shape::required("hops"),
        Shape::required("assocdata"),
        Shape::optional("session_key"),
        Shape::optional("onion_size"),
    ];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let hops = hops(params)?;
        let session_key = params.optional_sha256("session_key")?;
        let bad_key = |_| params.wrong("session_key", "should be a 32 byte hex value");
        let session_key = session_key.map(|key| SecretKey::from_slice(&key).map_err(bad_key)).transpose()?;
        let length = params.optional_integer("onion_size")?;
        for (number, hop) in hops.iter().enumerate() {
            if !has_its_length(&hop.payload) {
                return Err(invalid(format!("hops[{number}] payload is not prefixed with length!")));
            }
        }
        Ok(Self {
            hops,
            associated_data: params.optional_hex("assocdata").unwrap_or_default(),
            session_key,
            length: length.map_or(PAYLOADS_LENGTH, |length| usize::try_from(length).unwrap_or(usize::MAX)),
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let session_key = self.session_key.unwrap_or_else(|| node.new_secret_key());
        let created = OnionPacket::create(&session_key, &self.hops, &self.associated_data, self.length);
        let (packet, secrets) = created.map_err(|_| invalid("Payloads exceed maximum onion packet size."))?;
        let secrets: Vec<String> = secrets.iter().map(|secret| hex::encode(secret.0)).collect();
        let result = json!({ "onion": hex::encode(packet.as_bytes()), "shared_secrets": secrets });
        node.reply(&request.client, &result);
        Ok(())
    }
}

fn hops(params: &Params) -> Result<Vec<Hop>, RpcError> {
    let raw = params.required_raw("hops")?;
    let elements = json::elements(raw).ok_or_else(|| params.wrong("hops", "should be an array of hops"))?;
    if elements.is_empty() {
        return Err(invalid("At least one hop must be specified."));
    }
    elements.iter().enumerate().map(|(number, hop)| read_hop(number, hop)).collect()
}

fn read_hop(number: usize, hop: &str) -> Result<Hop, RpcError> {
    let member =
        |name| json::member(hop, name).ok_or_else(|| invalid(format!("Hop {number} does not have a {name}")));
    let (pubkey, payload) = (member("pubkey")?, member("payload")?);
    let node_id =
        json::content(pubkey).parse().map_err(|_| wrong_token("hops", "should be a pubkey", pubkey))?;
    let payload =
        hex::decode(json::content(payload)).map_err(|_| wrong_token("hops", "should be hex", payload))?;
    Ok(Hop { node_id, payload })
}

fn has_its_length(payload: &[u8]) -> bool {
    let mut rest = payload;
    read_bigsize(&mut rest).is_ok_and(|length| length == rest.len() as u64)
}

impl State {
    /// A secret that is a key.
    pub(super) fn new_secret_key(&mut self) -> SecretKey {
        loop {
            // All but a vanishing part of what can be drawn is one.
            if let Ok(key) = SecretKey::from_slice(&self.entropy.draw()) {
                return key;
            }
        }
    }
}
