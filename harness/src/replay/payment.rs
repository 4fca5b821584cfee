//! Making the payment of a replay, and what becomes of it.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;

use serde_json::{Value, json};

use super::Replay;
use crate::amount::Amount;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::wait::{Deadline, eventually, seen};

/// How many blocks the node that is paid has for it: more than lightningd asks for on any network.
const FINAL_DELAY: u64 = 18;
/// What lightningd's `waitsendpay` says of a payment that is still on its way (`common/jsonrpc_errors.h`, `PAY_IN_PROGRESS`).
const IN_PROGRESS: i64 = 200;

type Making = Pin<Box<dyn Future<Output = Result<Value>> + Send>>;

/// Where the invoices come from.
pub(super) enum Invoices {
    /// The last node makes them, over so much.
    OfPayee(Amount),
    /// The author does.
    Made(Box<dyn Fn(usize) -> Making + Send + Sync>, Amount),
}

impl Invoices {
    pub(super) fn set_amount(&mut self, new: Amount) {
        let (Self::OfPayee(amount) | Self::Made(_, amount)) = self;
        *amount = new;
    }

    pub(super) fn set_maker(&mut self, make: impl Fn(usize) -> Making + Send + Sync + 'static) {
        let amount = self.amount();
        *self = Self::Made(Box::new(make), amount);
    }

    fn amount(&self) -> Amount {
        let (Self::OfPayee(amount) | Self::Made(_, amount)) = self;
        *amount
    }
}

/// How a payment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentEnd {
    /// The payer has the preimage.
    Paid,
    /// It failed, with this code of `waitsendpay`.
    Failed(i64),
    /// It did not end, or left an HTLC behind, in words.
    Open(String),
}

pub(super) use PaymentEnd as End;

impl fmt::Display for PaymentEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paid => f.write_str("paid"),
            Self::Failed(code) => write!(f, "failed with {code}"),
            Self::Open(what) => f.write_str(what),
        }
    }
}

impl Replay<'_> {
    fn payer(&self) -> &Node {
        self.along.first().expect("there are at least two")
    }

    /// What is paid next: a hash that was not paid before.
    pub(super) async fn invoice(&self, nth: usize) -> Result<Value> {
        let invoice = match &self.invoices {
            Invoices::OfPayee(amount) => {
                let payee = self.along.last().expect("there are at least two");
                payee.invoice_at(*amount, self.at).await?
            }
            Invoices::Made(make, _) => make(nth).await?,
        };
        if invoice["payment_hash"].is_string() {
            return Ok(invoice);
        }
        Err(Error::test(self.doing()).expected("an object with a payment_hash").came(invoice.to_string()))
    }

    /// The way along the nodes, with the fees and the time that each asks for.
    pub(super) async fn route(&self) -> Result<Value> {
        let (mut amount_msat, mut delay) = (self.invoices.amount().to_msat(), FINAL_DELAY);
        let mut hops = Vec::new();
        for pair in self.along.windows(2).rev() {
            let channel = pair[0].channel(&pair[1]).await?;
            let scid = &channel["short_channel_id"];
            let hop =
                json!({ "id": pair[1].id(), "channel": scid, "amount_msat": amount_msat, "delay": delay });
            hops.insert(0, hop);
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            let base_msat = number(&channel["fee_base_msat"]);
            amount_msat +=
                base_msat + amount_msat * number(&channel["fee_proportional_millionths"]) / 1_000_000;
            delay += number(&channel["updates"]["local"]["cltv_expiry_delta"]);
        }
        Ok(Value::Array(hops))
    }

    pub(super) async fn send(&self, route: &Value, invoice: &Value) -> Result {
        let mut params = json!({ "route": route, "payment_hash": invoice["payment_hash"] });
        if invoice["payment_secret"].is_string() {
            params["payment_secret"] = invoice["payment_secret"].clone();
        }
        self.payer().rpc_at("sendpay", params, self.at).await.map(drop)
    }

    /// Waits until it has ended and has left no HTLC behind.
    pub(super) async fn end(&self, invoice: &Value) -> Result<End> {
        let deadline = self.patience.map_or_else(|| self.node.deadline(), Deadline::after);
        // A moment of the last second has passed already.
        let seconds = deadline.remaining().as_millis().div_ceil(1000);
        let params = json!({ "payment_hash": invoice["payment_hash"], "timeout": seconds });
        let end = match self.payer().rpc_at("waitsendpay", params, self.at).await {
            Ok(_) => End::Paid,
            Err(error) if error.code() == IN_PROGRESS => {
                return Ok(End::Open(format!("the payment had not ended after {seconds} s")));
            }
            Err(error) if error.code() > 0 => End::Failed(error.code()),
            Err(error) => return Err(error),
        };
        for node in &self.along {
            let looked = eventually("no HTLC is left", || htlcs(node, self.at)).until(deadline).at(self.at);
            if looked.await.is_err() {
                return Ok(End::Open(format!("{end}, but {} is left with an HTLC", node.name())));
            }
        }
        Ok(end)
    }

    /// Connects the node with its neighbours again, until their channels can be used.
    pub(super) async fn reconnect(&self) -> Result {
        let here = self.node.name();
        for pair in self.along.windows(2) {
            let peer = match pair {
                [one, other] if one.name() == here => other,
                [one, other] if other.name() == here => one,
                _ => continue,
            };
            // The peer may not have noticed yet that its connection is dead.
            self.node.connect_at(peer, self.at).await?;
            for (node, other) in [(&self.node, peer), (peer, &self.node)] {
                let look = || async {
                    let channel = node.channel(other).await?;
                    let usable = |channel: &Value| {
                        channel["peer_connected"] != false && channel["reestablished"] != false
                    };
                    Ok::<_, Error>(seen(channel, usable))
                };
                let what = format!("{} and {} speak about their channel again", node.name(), other.name());
                eventually(what, look).until(self.node.deadline()).at(self.at).await?;
            }
        }
        Ok(())
    }
}

async fn htlcs(node: &Node, at: &'static Location<'static>) -> Result<crate::wait::Seen<usize>> {
    let listed = node.rpc_at("listpeerchannels", json!({}), at).await?;
    let channels = listed["channels"].as_array().into_iter().flatten();
    let left = channels.map(|channel| channel["htlcs"].as_array().map_or(0, Vec::len)).sum();
    Ok(seen(left, |left| *left == 0))
}
