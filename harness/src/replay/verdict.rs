//! What a plugin was asked about a payment, and what it said.

use std::fmt;

use serde_json::Value;

use super::attempt::Attempted;
use crate::alias::Aliases;
use crate::event::Direction;
use crate::transcript::{Frame, Transcript};

/// Whose answers decide about a payment.
const DECIDING: [&str; 2] = ["htlc_accepted", "invoice_payment"];

/// A call of a hook about a payment, and the plugin's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The hook.
    pub hook: String,
    /// What it was about: an HTLC by its number and channel, or an invoice.
    pub about: String,
    /// Whether it was asked about the same before, in an earlier life of the node.
    pub again: bool,
    /// The call.
    pub call: Frame,
    /// The answer, if one came while the node lived.
    pub answer: Option<Frame>,
    /// The result or the error in it, with aliases.
    said: Option<String>,
}

/// The calls of a part of the timeline, each with its answer. What a plugin says to a node that has crashed comes or does not: it is left out.
pub(super) fn verdicts(
    transcript: &Transcript,
    attempted: &Attempted,
    aliases: &mut Aliases<'_>,
) -> Vec<Verdict> {
    let of_payment = |frame: &&Frame| attempted.frames.contains(&frame.seq);
    let frames: Vec<&Frame> = transcript.frames().iter().filter(of_payment).collect();
    let crash = attempted.crash.unwrap_or(u64::MAX);
    let mut verdicts: Vec<Verdict> = Vec::new();
    for call in frames.iter().filter(|frame| frame.direction == Direction::ToPlugin) {
        let id = call.envelope().and_then(|envelope| envelope.id());
        let answers = |frame: &&&Frame| {
            frame.direction == Direction::FromPlugin
                && frame.node_run == call.node_run
                && (frame.seq < crash) == (call.seq < crash)
                && frame.envelope().and_then(|envelope| envelope.id()) == id
        };
        let answer = frames.iter().find(answers).map(|frame| (*frame).clone());
        let (hook, about) =
            (call.topic.clone().unwrap_or_default(), about(&call.params().unwrap_or_default(), aliases));
        let is_same = |earlier: &Verdict| earlier.hook == hook && earlier.about == about;
        verdicts.push(Verdict {
            again: call.seq > crash && verdicts.iter().any(is_same),
            said: answer.as_ref().map(|answer| said(answer, aliases)),
            call: (*call).clone(),
            hook,
            about,
            answer,
        });
    }
    verdicts
}

/// What a call is about: the same words for the same thing.
fn about(params: &Value, aliases: &mut Aliases<'_>) -> String {
    let htlc = &params["htlc"];
    let mut alias =
        |name: &str, value: &Value| aliases.value(&value.to_string(), name).compact().replace('"', "");
    if htlc["id"].is_u64() {
        return format!("HTLC {} of {}", htlc["id"], alias("short_channel_id", &htlc["short_channel_id"]));
    }
    if htlc["payment_hash"].is_string() {
        return format!("the HTLC for {}", alias("payment_hash", &htlc["payment_hash"]));
    }
    if params["payment"]["preimage"].is_string() {
        return format!("the invoice of {}", alias("preimage", &params["payment"]["preimage"]));
    }
    format!("the commitment {}", alias("commitment_txid", &params["commitment_txid"]))
}

/// The result or error of an answer.
fn said(answer: &Frame, aliases: &mut Aliases<'_>) -> String {
    let envelope = answer.envelope();
    let said = envelope.and_then(|envelope| envelope.result.or(envelope.error));
    said.map_or_else(
        || "nothing that can be understood".to_owned(),
        |said| aliases.value(said, "result").compact(),
    )
}

impl Verdict {
    /// Whether it is about what becomes of the payment.
    pub(super) fn decides(&self) -> bool {
        DECIDING.contains(&&*self.hook)
    }

    /// The answer as a value: equal answers may be written differently.
    pub(super) fn result(&self) -> Option<Value> {
        let answer = self.answer.as_ref()?;
        Some(answer.result().unwrap_or_else(|| answer.text().unwrap_or_default().into()))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hook, about, again, said, .. } = self;
        let again = if *again { ", asked again" } else { "" };
        write!(f, "{hook}, {about}{again}: {}", said.as_deref().unwrap_or("no answer"))
    }
}
