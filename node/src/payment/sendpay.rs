//! `sendpay` (`lightningd/pay.c:json_sendpay`).

use super::send::{FirstHop, Part, Sent, htlc_onion};
use super::show::payment_fields;
use super::store::{self, NewPayment, Payment, Route};
use super::{PaymentKey, code};
use crate::command::Command;
use crate::command::amount::parse_msat;
use crate::command::params::{Params, Shape, invalid, wrong_token};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::onion::payload::PaymentData;
use leyden_bolt::onion::{Hop, OnionPacket, Payload, packet::PAYLOADS_LENGTH};
use leyden_protocol::message::RpcError;
use leyden_protocol::{Profile, json};
use serde_json::{Map, Value};
use std::str::FromStr;

/// `sendpay route payment_hash [label] [amount_msat] [bolt11] [payment_secret] [partid] [localinvreqid] [groupid]
/// [payment_metadata] [description]`.
pub(crate) struct Sendpay {
    route: Vec<FirstHop>,
    /// The steps whose payload has the form of old releases.
    legacy: Vec<bool>,
    amount_msat: Option<u64>,
    payment_secret: Option<[u8; 32]>,
    payment_metadata: Option<Vec<u8>>,
    common: Common,
}

/// What `sendpay` and `sendonion` take alike.
pub(super) struct Common {
    payment_hash: [u8; 32],
    label: Option<String>,
    bolt11: Option<String>,
    description: Option<String>,
    pub(super) partid: u64,
    groupid: Option<u64>,
    local_invreq_id: Option<[u8; 32]>,
}

impl Common {
    pub(super) fn parse(params: &Params) -> Result<Self, RpcError> {
        Ok(Self {
            payment_hash: params.sha256("payment_hash")?,
            label: params.optional_escaped_string("label")?,
            bolt11: params.optional_string("bolt11"),
            description: params.optional_string("description"),
            partid: params.optional_u64("partid")?.unwrap_or(0),
            groupid: params.optional_u64("groupid")?,
            local_invreq_id: params.optional_sha256("localinvreqid")?,
        })
    }

    /// The part with these, without its way. Without a group it is a new attempt.
    pub(super) fn payment(self, node: &State) -> NewPayment {
        let groupid = || store::last_groupid(node.stored(), &self.payment_hash) + 1;
        let groupid = self.groupid.unwrap_or_else(groupid);
        NewPayment {
            key: PaymentKey { payment_hash: self.payment_hash, partid: self.partid, groupid },
            destination: None,
            amount_msat: 0,
            amount_sent_msat: 0,
            total_msat: 0,
            route: Route::default(),
            label: self.label,
            bolt11: self.bolt11,
            description: self.description,
            local_invreq_id: self.local_invreq_id,
        }
    }
}

impl Command for Sendpay {
    const NAME: &'static str = "sendpay";
    const TAKES: &'static [Shape] = &[
        Shape::required("route"),
        Shape::required("payment_hash"),
        Shape::optional("label"),
        Shape::optional("amount_msat"),
        Shape::optional("bolt11"),
        Shape::optional("payment_secret"),
        Shape::optional("partid"),
        Shape::optional("localinvreqid"),
        Shape::optional("groupid"),
        Shape::optional("payment_metadata"),
        Shape::optional("description"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let (route, legacy) = route(params, node.profile)?;
        let wanted = Self {
            route,
            legacy,
            amount_msat: params.optional_msat("amount_msat")?,
            payment_secret: params.optional_sha256("payment_secret")?,
            payment_metadata: params.optional_hex("payment_metadata"),
            common: Common::parse(params)?,
        };
        wanted.check_amounts()?;
        Ok(wanted)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Some(last) = self.route.last().cloned() else {
            let amount_msat = self.amount_msat.unwrap_or_default();
            let payment = NewPayment {
                destination: Some(node.node_id),
                amount_msat,
                amount_sent_msat: amount_msat,
                total_msat: amount_msat,
                ..self.common.payment(node)
            };
            let paid = node.pay_myself(payment, self.payment_secret.as_ref())?;
            let fields = payment_fields(node, &paid);
            node.reply(&request.client, &fields);
            return Ok(());
        };
        let total_msat = self.amount_msat.unwrap_or(last.amount_msat);
        if self.payment_secret.is_none() && total_msat != last.amount_msat {
            let text = "Destination does not support payment_secret";
            return Err(RpcError::new(code::DESTINATION_PERM_FAIL, text));
        }
        let payment_data =
            self.payment_secret.map(|payment_secret| PaymentData { payment_secret, total_msat });
        let base = node.base_expiry();
        let is_legacy = self.legacy.last() == Some(&true) && payment_data.is_none();
        let to_last = if is_legacy {
            Payload::legacy(None, last.amount_msat, base + last.delay)
        } else {
            Payload::last(last.amount_msat, base + last.delay, payment_data, self.payment_metadata)
        };
        let nodes: Vec<PublicKey> = self.route.iter().map(|hop| hop.node).collect();
        let to_others = self.route[1..].iter().zip(&self.legacy).map(|(next, is_legacy)| {
            let (channel, msat, expiry) = (next.channel, next.amount_msat, base + next.delay);
            if *is_legacy {
                Payload::legacy(Some(channel), msat, expiry)
            } else {
                Payload::forward(channel, msat, expiry)
            }
        });
        let payloads = to_others.chain([to_last]);
        let hops: Vec<Hop> = nodes
            .iter()
            .zip(payloads)
            .map(|(node_id, payload)| Hop { node_id: *node_id, payload: payload.encode() })
            .collect();
        let session_key = node.new_secret_key();
        let created = OnionPacket::create(&session_key, &hops, &self.common.payment_hash, PAYLOADS_LENGTH);
        let (packet, secrets) = created.map_err(|error| invalid(format!("route: {error}")))?;
        let channels = self.route.iter().map(|hop| hop.channel).collect();
        let first = self.route[0].clone();
        let payment = NewPayment {
            destination: Some(last.node),
            amount_msat: last.amount_msat,
            amount_sent_msat: first.amount_msat,
            total_msat,
            route: Route { secrets, nodes, channels },
            ..self.common.payment(node)
        };
        let onion = htlc_onion(&packet).expect("it was made with that length");
        node.answer_sent(request, Part { first, payment, onion })
    }
}

impl Sendpay {
    fn check_amounts(&self) -> Result<(), RpcError> {
        let partid = self.common.partid;
        let Some(last) = self.route.last() else {
            return match (self.amount_msat, partid) {
                (None, 0) => Err(invalid("Self-payment requires amount_msat")),
                (None, _) => Err(invalid("Must specify msatoshi with partid")),
                (Some(_), 0) => Ok(()),
                (Some(_), _) => Err(invalid("Self-payment does not allow (non-zero) partid")),
            };
        };
        let last_msat = last.amount_msat;
        match (self.amount_msat, partid) {
            (None, 0) => Ok(()),
            (None, _) => Err(invalid("Must specify msatoshi with partid")),
            (Some(msat), 0) if msat != last_msat => Err(invalid(format!(
                "Do not specify msatoshi ({msat}msat) without partid: if you do, it must be exactly the final amount ({last_msat}msat)"
            ))),
            (Some(_), 0) => Ok(()),
            (Some(msat), _) if last_msat > msat => {
                Err(invalid(format!("Final amount {last_msat}msat is greater than {msat}msat, despite MPP")))
            }
            (Some(_), _) if self.payment_secret.is_none() => Err(invalid("partid requires payment_secret")),
            (Some(_), _) => Ok(()),
        }
    }
}

fn route(params: &Params, profile: Profile) -> Result<(Vec<FirstHop>, Vec<bool>), RpcError> {
    let hops = json::elements(params.required_raw("route")?);
    let hops = hops.ok_or_else(|| params.wrong("route", "must be an array"))?;
    hops.into_iter().map(|text| Ok((hop(text)?, is_legacy(text, profile)?))).collect()
}

/// Whether a step wants a payload of the old form: in releases that make such ones, if it wants no other.
fn is_legacy(hop: &str, profile: Profile) -> Result<bool, RpcError> {
    match json::member(hop, "style").filter(|_| profile.knows_legacy_onions()) {
        None => Ok(profile.knows_legacy_onions()),
        Some(style) => match json::content(style) {
            "legacy" => Ok(true),
            "tlv" => Ok(false),
            _ => Err(wrong_token("style", "should be 'legacy' or 'tlv'", style)),
        },
    }
}

/// A step, in the words of `getroute` or of `getroutes`.
fn hop(hop: &str) -> Result<FirstHop, RpcError> {
    let wrong = |what: &str, token: &str| wrong_token("route", what, token);
    let either = |one: &str, other: &str| {
        let found = json::member(hop, one).or_else(|| json::member(hop, other));
        found.ok_or_else(|| wrong(&format!("must have either {one} or {other}"), hop))
    };
    let channel = either("short_channel_id_dir", "channel")?;
    let bare = json::content(channel);
    let bare = bare.strip_suffix("/0").or_else(|| bare.strip_suffix("/1")).unwrap_or(bare);
    let bare = ShortChannelId::from_str(bare).map_err(|_| wrong("bad short_channel_id", channel))?;
    let node = either("node_id_out", "id")?;
    let amount = |raw| parse_msat(json::content(raw)).ok_or_else(|| wrong("bad amount", raw));
    let delay = |raw| json::content(raw).parse().map_err(|_| wrong("bad cltv_out/delay", raw));
    Ok(FirstHop {
        channel: bare,
        node: json::content(node).parse().map_err(|_| wrong("bad node_id", node))?,
        amount_msat: amount(either("amount_out_msat", "amount_msat")?)?,
        delay: delay(either("cltv_out", "delay")?)?,
    })
}

impl State {
    /// Sends a part and answers how far it is.
    pub(super) fn answer_sent(&mut self, request: &RpcRequest, part: Part) -> Result<(), RpcError> {
        match self.send_part(part)? {
            Sent::Complete(payment) => {
                let fields = payment_fields(self, &payment);
                self.reply(&request.client, &fields);
            }
            Sent::Pending(payment) => self.answer_pending(request, &payment),
            Sent::Refused(payment, refusal) => {
                self.answer_pending(request, &payment);
                self.fail_refused(&payment, refusal);
            }
        }
        Ok(())
    }

    fn answer_pending(&mut self, request: &RpcRequest, payment: &Payment) {
        let mut answer = Map::new();
        let message = "Monitor status with listpays or waitsendpay";
        answer.insert("message".to_owned(), Value::from(message));
        answer.append(&mut payment_fields(self, payment));
        self.reply(&request.client, &answer);
    }
}
