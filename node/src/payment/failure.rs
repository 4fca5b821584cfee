//! What is known of a part's failure, and how it is told (`lightningd/pay.c:struct routing_failure`).

use super::code;
use super::show::payment_fields;
use super::store::Payment;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::onion::FailureCode;
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value};

/// A failure of which it is known who told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteFailure {
    /// The place of the erring node in the route: 0 is this node.
    pub(crate) erring_index: u32,
    pub(crate) code: FailureCode,
    /// `None` if the client made the onion, and only it knows.
    pub(crate) erring_node: Option<PublicKey>,
    /// With its direction.
    pub(crate) erring_channel: Option<(ShortChannelId, u8)>,
    /// What the node said; `None` if it was this one.
    pub(crate) message: Option<Vec<u8>>,
}

/// What became of a part that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody can read the onion that came back, at least not this node.
    Unreadable(Vec<u8>),
    /// It is known who failed it.
    Known {
        failure: RouteFailure,
        /// The error's code.
        code: i64,
        /// Who says so, or what is wrong.
        detail: String,
    },
}

/// The direction of a channel from one node to another, as everywhere in gossip.
pub(super) fn direction(from: &PublicKey, to: &PublicKey) -> u8 {
    u8::from(from.serialize() > to.serialize())
}

/// The name that lightningd has for a failure.
pub(super) fn wire_name(code: FailureCode) -> String {
    code.name()
        .map_or_else(|| format!("UNKNOWN WIRE {}", code.0), |name| format!("WIRE_{}", name.to_uppercase()))
}

impl Failure {
    pub(super) fn code(&self) -> i64 {
        match self {
            Self::Unreadable(_) => code::UNPARSEABLE_ONION,
            Self::Known { code, .. } => *code,
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Known { failure, code, detail } if *code != code::UNPARSEABLE_ONION => {
                format!("failed: {} ({detail})", wire_name(failure.code))
            }
            _ => "Malformed error reply".to_owned(),
        }
    }

    /// What is told besides code and text (`json_sendpay_fail_fields`). There is no payment if it failed before it was stored.
    pub(super) fn data(&self, node: &State, payment: Option<&Payment>) -> Map<String, Value> {
        let mut data = payment.map(|payment| payment_fields(node, payment)).unwrap_or_default();
        match self {
            Self::Unreadable(onion) => drop(data.insert("onionreply".to_owned(), hex::encode(onion).into())),
            Self::Known { failure, .. } => data.append(&mut failure.fields()),
        }
        data
    }

    /// The error that a command ends with.
    pub(super) fn error(&self, node: &State, payment: Option<&Payment>) -> RpcError {
        let data = self.data(node, payment);
        RpcError { data: Some(data.into()), ..RpcError::new(self.code(), self.text()) }
    }
}

impl RouteFailure {
    /// The members that tell of it (`json_add_routefail_info`).
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut json = Map::new();
        let mut add = |name: &str, value: Value| drop(json.insert(name.to_owned(), value));
        add("erring_index", self.erring_index.into());
        add("failcode", self.code.0.into());
        if self.code.name().is_some() {
            add("failcodename", wire_name(self.code).into());
        }
        if let Some(node) = &self.erring_node {
            add("erring_node", node.to_string().into());
        }
        if let Some((channel, direction)) = &self.erring_channel {
            add("erring_channel", channel.to_string().into());
            add("erring_direction", (*direction).into());
        }
        if let Some(message) = &self.message {
            add("raw_message", hex::encode(message).into());
        }
        json
    }
}
