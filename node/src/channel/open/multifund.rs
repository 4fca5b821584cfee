//! `fundchannel` and `multifundchannel` at work: peers are connected, channels offered, one transaction funds them all. Each
//! step is a command, which plugins see (`plugins/spender/multifundchannel.c`).

pub(crate) use super::destination::{Fundchannel, Multifundchannel, SPENDERP};

use super::destination::{Destination, Funding};
use crate::jsonrpc::internal::{BundledCall, text};
use crate::state::State;
use crate::wallet::prepare::finalized;
use crate::wallet::{fund, psbt, weight};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, Psbt, ScriptBuf, Transaction, TxOut, WScriptHash};
use leyden_bolt::Features;
use leyden_bolt::features::bit;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// For how many blocks inputs are kept: the peer waits so long for the funding (BOLT 2).
const RESERVATION: u32 = 2016;

/// Those under way, by number.
#[derive(Debug, Default)]
pub(in crate::channel) struct Multifunds {
    under_way: BTreeMap<u64, Multifund>,
    last: u64,
}

#[derive(Debug)]
struct Multifund {
    call: BundledCall,
    funding: Funding,
    stage: Stage,
    /// What each destination has come to in this stage.
    progress: Vec<Progress>,
    /// Destinations that were given up.
    failed: Vec<Failure>,
    /// The inputs and the change; with the outputs that fund once all peers have accepted.
    psbt: Option<Psbt>,
}

/// What is asked of every destination at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// Channels are offered.
    Starting,
    /// First commitments are signed.
    Completing,
}

#[derive(Debug, Clone)]
enum Progress {
    Waiting,
    Connected {
        anchors: bool,
    },
    /// `fundchannel_start` gave this.
    Started(Value),
    /// What `fundchannel_start` gave, and the channel.
    Completed(Value, String),
    Failed(RpcError),
}

/// A destination that came to nothing.
#[derive(Debug, Clone)]
struct Failure {
    peer: PublicKey,
    method: &'static str,
    error: RpcError,
}

/// What happens once everything is undone.
type Then = Box<dyn FnOnce(&mut State, Multifund) + Send>;

impl Stage {
    const fn method(self) -> &'static str {
        match self {
            Self::Connecting => "connect",
            Self::Starting => "fundchannel_start",
            Self::Completing => "fundchannel_complete",
        }
    }
}

impl State {
    /// Begins to fund channels. The client is answered in the end.
    pub(super) fn start_multifund(&mut self, funding: Funding, call: BundledCall) {
        self.channels.multifunds.last += 1;
        let number = self.channels.multifunds.last;
        let (stage, failed) = (Stage::Connecting, Vec::new());
        let multifund = Multifund { call, funding, stage, progress: Vec::new(), failed, psbt: None };
        self.channels.multifunds.under_way.insert(number, multifund);
        self.ask_destinations(number, Stage::Connecting);
    }

    fn multifund(&mut self, number: u64) -> Option<&mut Multifund> {
        self.channels.multifunds.under_way.get_mut(&number)
    }

    /// Gives the command of a stage for each destination.
    fn ask_destinations(&mut self, number: u64, stage: Stage) {
        let Some(multifund) = self.multifund(number) else { return };
        multifund.stage = stage;
        let destinations = multifund.funding.destinations.iter();
        let asked: Vec<Value> = destinations.map(|destination| multifund.question(destination)).collect();
        let before = std::mem::replace(&mut multifund.progress, vec![Progress::Waiting; asked.len()]);
        let call = multifund.call.clone();
        let started: Vec<Option<Value>> = before.into_iter().map(Progress::into_started).collect();
        let started = started.into_iter().chain(std::iter::repeat(None));
        for (place, (params, started)) in asked.into_iter().zip(started).enumerate() {
            self.call_internally(&call, stage.method(), &params, move |node, answer| {
                let progress = answer.and_then(|answer| node.progress(stage, answer, started));
                node.multifund_answered(number, place, progress.unwrap_or_else(Progress::Failed));
            });
        }
    }

    /// What an answer means.
    fn progress(&self, stage: Stage, answer: Value, started: Option<Value>) -> Result<Progress, RpcError> {
        Ok(match stage {
            Stage::Connecting => {
                let unreadable =
                    |_| RpcError::new(code::LIGHTNINGD, format!("Unparsable features: '{answer}'"));
                let theirs: Features = text(&answer, "features")?.parse().map_err(unreadable)?;
                Progress::Connected { anchors: self.negotiated(&theirs, bit::ANCHORS_ZERO_FEE_HTLC_TX) }
            }
            Stage::Starting => {
                text(&answer, "scriptpubkey")?;
                Progress::Started(answer)
            }
            Stage::Completing => {
                Progress::Completed(started.unwrap_or_default(), text(&answer, "channel_id")?.to_owned())
            }
        })
    }

    /// A destination has come through its stage, or failed. Once all have, the next stage follows.
    fn multifund_answered(&mut self, number: u64, place: usize, progress: Progress) {
        let Some(multifund) = self.multifund(number) else { return };
        if let Some(slot) = multifund.progress.get_mut(place) {
            *slot = progress;
        }
        let has = |is_it: fn(&Progress) -> bool| multifund.progress.iter().any(is_it);
        if has(|progress| matches!(progress, Progress::Waiting)) {
            return;
        }
        if has(|progress| matches!(progress, Progress::Failed(_))) {
            return self.drop_failed_destinations(number);
        }
        match multifund.stage {
            Stage::Connecting => self.ask_feerate(number),
            Stage::Starting => self.complete_destinations(number),
            Stage::Completing => self.sign_funding(number),
        }
    }

    /// Gives a command for all of them; an error ends everything.
    fn multifund_step(
        &mut self,
        number: u64,
        method: &str,
        params: &Value,
        then: impl FnOnce(&mut Self, Value) -> Result<(), RpcError> + Send + 'static,
    ) {
        let Some(call) = self.multifund(number).map(|multifund| multifund.call.clone()) else { return };
        self.call_internally(&call, method, params, move |node, answer| {
            if let Err(error) = answer.and_then(|answer| then(node, answer)) {
                node.fail_multifund(number, error);
            }
        });
    }

    fn ask_feerate(&mut self, number: u64) {
        let Some(multifund) = self.multifund(number) else { return };
        let params = json!({ "feerate": multifund.funding.feerate.as_deref().unwrap_or("opening") });
        self.multifund_step(number, "parsefeerate", &params, move |node, answer| {
            let unreadable =
                || RpcError::new(code::INVALID_PARAMS, format!("Unable to parse feerate: {answer}"));
            let per_kw = answer["perkw"].as_u64().ok_or_else(unreadable)?;
            node.reserve_funds(number, per_kw);
            Ok(())
        });
    }

    fn reserve_funds(&mut self, number: u64, feerate_per_kw: u64) {
        let Some(multifund) = self.multifund(number) else { return };
        let (method, params) = multifund.funds(feerate_per_kw);
        self.multifund_step(number, method, &params, move |node, answer| {
            node.start_destinations(number, &answer)
        });
    }

    fn start_destinations(&mut self, number: u64, funded: &Value) -> Result<(), RpcError> {
        let Some(multifund) = self.multifund(number) else { return Ok(()) };
        multifund.psbt = Some(psbt::answered(funded, "psbt")?);
        let destinations = &mut multifund.funding.destinations;
        let others_sat = destinations.iter().filter(|one| !one.all).map(|one| one.amount_sat).sum();
        if let Some(all) = destinations.iter_mut().find(|destination| destination.all) {
            all.amount_sat = fund::rest(fund::answered_excess_sat(funded)?, others_sat)?.to_sat();
        }
        self.ask_destinations(number, Stage::Starting);
        Ok(())
    }

    /// Everybody has accepted: the transaction gets its outputs, before the change.
    fn complete_destinations(&mut self, number: u64) {
        let Some(multifund) = self.multifund(number) else { return };
        if let Err(error) = multifund.add_outputs() {
            return self.fail_multifund(number, error);
        }
        self.ask_destinations(number, Stage::Completing);
    }

    fn sign_funding(&mut self, number: u64) {
        let Some(prepared) = self.multifund(number).and_then(|multifund| multifund.psbt.clone()) else {
            return;
        };
        let params = json!({ "psbt": prepared.to_string() });
        self.multifund_step(number, "signpsbt", &params, move |node, signed| {
            let (psbt, tx) = finalized(psbt::answered(&signed, "signed_psbt")?, &prepared)?;
            let params = json!({ "psbt": psbt.to_string() });
            node.multifund_step(number, "sendpsbt", &params, move |node, _| {
                node.multifund_sent(number, &tx);
                Ok(())
            });
            Ok(())
        });
    }

    fn multifund_sent(&mut self, number: u64, tx: &Transaction) {
        let Some(multifund) = self.channels.multifunds.under_way.remove(&number) else { return };
        self.reply(&multifund.call.client, &multifund.result(tx));
    }

    fn fail_multifund(&mut self, number: u64, error: RpcError) {
        self.undo_multifund(number, move |node, multifund| node.reply_error(&multifund.call.client, &error));
    }

    /// Goes on without those that failed, if enough are left; everything begins anew then.
    fn drop_failed_destinations(&mut self, number: u64) {
        self.undo_multifund(number, move |node, mut multifund| {
            let method = multifund.stage.method();
            let progress = std::mem::take(&mut multifund.progress);
            let mut left: Vec<Destination> = Vec::new();
            for (destination, progress) in multifund.funding.destinations.drain(..).zip(progress) {
                match progress {
                    Progress::Failed(error) => {
                        multifund.failed.push(Failure { peer: destination.peer, method, error });
                    }
                    _ => left.push(destination),
                }
            }
            if left.len() < multifund.funding.minchannels {
                let failure = multifund.failed.last().expect("a destination has just failed");
                let data = json!({ "id": failure.peer.to_string(), "method": failure.method });
                let error = RpcError { data: Some(data), ..failure.error.clone() };
                return node.reply_error(&multifund.call.client, &error);
            }
            multifund.funding.destinations = left;
            node.channels.multifunds.under_way.insert(number, multifund);
            node.ask_destinations(number, Stage::Connecting);
        });
    }

    /// Takes back what was done for the destinations.
    fn undo_multifund(&mut self, number: u64, then: impl FnOnce(&mut Self, Multifund) + Send + 'static) {
        let Some(mut multifund) = self.channels.multifunds.under_way.remove(&number) else { return };
        let mut steps = VecDeque::new();
        if let Some(psbt) = multifund.psbt.take() {
            steps.push_back(("unreserveinputs", json!({ "psbt": psbt.to_string(), "reserve": RESERVATION })));
        }
        for (destination, progress) in multifund.funding.destinations.iter().zip(&multifund.progress) {
            if matches!(progress, Progress::Started(_) | Progress::Completed(..)) {
                steps.push_back(("fundchannel_cancel", json!({ "id": destination.peer.to_string() })));
            }
        }
        self.undo_next(multifund, steps, Box::new(then));
    }

    /// Whatever is answered, the rest is undone too.
    fn undo_next(&mut self, multifund: Multifund, mut steps: VecDeque<(&'static str, Value)>, then: Then) {
        let Some((method, params)) = steps.pop_front() else { return then(self, multifund) };
        let call = multifund.call.clone();
        self.call_internally(&call, method, &params, move |node, _| node.undo_next(multifund, steps, then));
    }
}

impl Progress {
    fn into_started(self) -> Option<Value> {
        if let Self::Started(started) = self { Some(started) } else { None }
    }
}

impl Multifund {
    /// The parameters of this stage's command.
    fn question(&self, destination: &Destination) -> Value {
        let id = destination.peer.to_string();
        match self.stage {
            Stage::Connecting => json!({ "id": destination.connect_to }),
            Stage::Starting => {
                let mut params = json!({ "id": id, "amount": format!("{}sat", destination.amount_sat) });
                if let Some(params) = params.as_object_mut() {
                    params.extend(destination.terms.clone());
                }
                params
            }
            Stage::Completing => {
                json!({ "id": id, "psbt": self.psbt.as_ref().map(ToString::to_string) })
            }
        }
    }

    /// The command that finds inputs, and its parameters.
    fn funds(&self, feerate_per_kw: u64) -> (&'static str, Value) {
        let destinations = &self.funding.destinations;
        let (method, mut params) = match &self.funding.utxos {
            Some(utxos) => ("utxopsbt", json!({ "utxos": utxos, "reservedok": false })),
            None => ("fundpsbt", json!({ "minconf": self.funding.minconf, "nonwrapped": false })),
        };
        if self.progress.iter().any(|progress| matches!(progress, Progress::Connected { anchors: true })) {
            params["opening_anchor_channel"] = true.into();
        }
        let count = u64::try_from(destinations.len()).expect("a few destinations");
        let script = weight::output(&unknown_script());
        let sum: u64 = destinations.iter().map(|destination| destination.amount_sat).sum();
        let all = destinations.iter().any(|destination| destination.all);
        params["reserve"] = RESERVATION.into();
        params["satoshi"] = if all { "all".into() } else { format!("{sum}sat").into() };
        params["feerate"] = format!("{feerate_per_kw}perkw").into();
        params["startweight"] = (weight::core(1, count) + script * count).to_string().into();
        params["excess_as_change"] = true.into();
        (method, params)
    }

    fn add_outputs(&mut self) -> Result<(), RpcError> {
        let Some(psbt) = &mut self.psbt else { return Ok(()) };
        for (place, (destination, progress)) in
            self.funding.destinations.iter().zip(&self.progress).enumerate()
        {
            let Progress::Started(started) = progress else { continue };
            let script = text(started, "scriptpubkey")?;
            let script_pubkey = ScriptBuf::from_hex(script).map_err(|_| {
                RpcError::new(code::LIGHTNINGD, format!("Unparsable scriptpubkey: '{script}'"))
            })?;
            let value = Amount::from_sat(destination.amount_sat);
            psbt.unsigned_tx.output.insert(place, TxOut { value, script_pubkey });
            psbt.outputs.insert(place, bitcoin::psbt::Output::default());
        }
        Ok(())
    }

    fn result(&self, tx: &Transaction) -> Value {
        let (raw, txid) = (serialize_hex(tx), tx.compute_txid().to_string());
        let mut channels: Vec<Value> = Vec::new();
        for (outnum, (destination, progress)) in
            self.funding.destinations.iter().zip(&self.progress).enumerate()
        {
            let Progress::Completed(started, id) = progress else { continue };
            let mut channel = Map::new();
            let mut add = |name: &str, value: Value| drop(channel.insert(name.to_owned(), value));
            add("id", destination.peer.to_string().into());
            add("channel_id", id.as_str().into());
            add("channel_type", started["channel_type"].clone());
            add("outnum", outnum.into());
            if let Some(close_to) = started.get("close_to") {
                add("close_to", close_to.clone());
            }
            channels.push(channel.into());
        }
        let mut result = json!({ "tx": raw, "txid": txid, "channel_ids": channels });
        let failed = self.failed.iter().map(|failure| {
            let error = json!({ "code": failure.error.code, "message": failure.error.message });
            json!({ "id": failure.peer.to_string(), "method": failure.method, "error": error })
        });
        if !self.failed.is_empty() {
            result["failed"] = failed.collect();
        }
        result
    }
}

/// As long as the one that pays to a channel.
fn unknown_script() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&WScriptHash::all_zeros())
}
