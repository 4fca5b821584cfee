//! `fundchannel` and `multifundchannel` at work: peers are connected, channels offered, one transaction funds them all
//! (`plugins/spender/multifundchannel.c`).

pub(crate) use super::destination::{Fundchannel, Multifundchannel};

use super::channel_type_json;
use super::destination::{Destination, Funding};
use super::offer::{Answer, Started, Waiter};
use crate::chain::broadcast::Broadcast;
use crate::chain::feerates::Purpose;
use crate::jsonrpc::Client;
use crate::peer::PeerState;
use crate::state::State;
use crate::wallet::fund::FundRequest;
use crate::wallet::sign::finalize;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, OutPoint, Psbt, ScriptBuf, Transaction, TxOut, Txid, WScriptHash};
use leyden_bolt::ChannelId;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Those under way, by number.
#[derive(Debug, Default)]
pub(in crate::channel) struct Multifunds {
    under_way: BTreeMap<u64, Multifund>,
    last: u64,
}

#[derive(Debug)]
struct Multifund {
    client: Client,
    funding: Funding,
    stage: Stage,
    /// What each destination has come to in this stage.
    progress: Vec<Progress>,
    /// Destinations that were given up.
    failed: Vec<Failure>,
    psbt: Option<Psbt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Peers are being connected.
    Connecting,
    /// Channels are offered.
    Starting,
    /// The transaction is made, first commitments are signed.
    Completing,
    /// The transaction is on its way.
    Sending,
}

#[derive(Debug, Clone)]
enum Progress {
    Waiting,
    Connected,
    Started(Started),
    Completed(Started, ChannelId),
    Failed(RpcError),
}

/// A destination that came to nothing.
#[derive(Debug, Clone)]
struct Failure {
    peer: PublicKey,
    method: &'static str,
    error: RpcError,
}

impl Stage {
    const fn method(self) -> &'static str {
        match self {
            Self::Connecting => "connect",
            Self::Starting => "fundchannel_start",
            Self::Completing | Self::Sending => "fundchannel_complete",
        }
    }
}

impl State {
    /// Begins to fund channels. The client is answered in the end.
    pub(super) fn start_multifund(&mut self, funding: Funding, client: Client) {
        self.channels.multifunds.last += 1;
        let number = self.channels.multifunds.last;
        let count = funding.destinations.len();
        let multifund = Multifund {
            client,
            funding,
            stage: Stage::Connecting,
            progress: vec![Progress::Waiting; count],
            failed: Vec::new(),
            psbt: None,
        };
        self.channels.multifunds.under_way.insert(number, multifund);
        self.connect_destinations(number);
    }

    fn connect_destinations(&mut self, number: u64) {
        let Some(multifund) = self.channels.multifunds.under_way.get(&number) else { return };
        for (place, destination) in multifund.funding.destinations.clone().into_iter().enumerate() {
            let peer = destination.offer.peer;
            let known = destination.address.or(self.peers.known_addresses.get(&peer).copied());
            let connected = self.peers.of(&peer, PeerState::Connected).is_some();
            let progress = match (connected, self.peers.of(&peer, PeerState::Dialling), known) {
                (true, ..) => Progress::Connected,
                (false, Some(_), _) => Progress::Waiting,
                (false, None, Some(address)) => {
                    self.dial(peer, address);
                    Progress::Waiting
                }
                (false, None, None) => {
                    let text = "Unable to connect, no address known for peer";
                    Progress::Failed(RpcError::new(crate::peer::control::NO_KNOWN_ADDRESS, text))
                }
            };
            self.note_progress(number, place, progress);
        }
        self.advance_multifund(number);
    }

    fn note_progress(&mut self, number: u64, place: usize, progress: Progress) {
        let multifund = self.channels.multifunds.under_way.get_mut(&number);
        if let Some(slot) = multifund.and_then(|multifund| multifund.progress.get_mut(place)) {
            *slot = progress;
        }
    }

    /// A peer is there, or could not be reached: those who wait for it go on.
    pub(crate) fn multifund_peer(&mut self, peer: &PublicKey, outcome: &Result<(), RpcError>) {
        let mut waiting = Vec::new();
        for (number, multifund) in &self.channels.multifunds.under_way {
            let place = multifund.funding.destinations.iter().position(|one| one.offer.peer == *peer);
            if let Some(place) = place.filter(|_| multifund.stage == Stage::Connecting) {
                waiting.push((*number, place));
            }
        }
        for (number, place) in waiting {
            let progress = match outcome {
                Ok(()) => Progress::Connected,
                Err(error) => Progress::Failed(error.clone()),
            };
            self.note_progress(number, place, progress);
            self.advance_multifund(number);
        }
    }

    /// An opening for a destination has gone a step, or failed.
    pub(super) fn multifund_answered(&mut self, number: u64, place: usize, answer: Result<Answer, RpcError>) {
        let multifund = self.channels.multifunds.under_way.get(&number);
        let before = multifund.and_then(|multifund| multifund.progress.get(place)).cloned();
        let progress = match (answer, before) {
            (Ok(Answer::Started(started)), _) => Progress::Started(started),
            (Ok(Answer::Completed(id)), Some(Progress::Started(started))) => Progress::Completed(started, id),
            (Err(error), Some(_)) => Progress::Failed(error),
            _ => return,
        };
        self.note_progress(number, place, progress);
        self.advance_multifund(number);
    }

    /// Goes to the next stage once every destination has come through this one.
    fn advance_multifund(&mut self, number: u64) {
        let Some(multifund) = self.channels.multifunds.under_way.get(&number) else { return };
        let stage = multifund.stage;
        let has_come = |progress: &Progress| {
            let is_late = stage == Stage::Completing && matches!(progress, Progress::Started(_));
            !is_late && !matches!(progress, Progress::Waiting)
        };
        if !multifund.progress.iter().all(has_come) {
            return;
        }
        if multifund.progress.iter().any(|progress| matches!(progress, Progress::Failed(_))) {
            return self.drop_failed_destinations(number);
        }
        match multifund.stage {
            Stage::Connecting => self.start_destinations(number),
            Stage::Starting => self.complete_destinations(number),
            Stage::Completing => self.send_funding(number),
            Stage::Sending => {}
        }
    }

    /// Goes on without those that failed, if enough are left; everything begins anew then.
    fn drop_failed_destinations(&mut self, number: u64) {
        let Some(mut multifund) = self.channels.multifunds.under_way.remove(&number) else { return };
        self.undo_multifund(&mut multifund);
        let method = multifund.stage.method();
        let progress = std::mem::take(&mut multifund.progress);
        let mut left: Vec<Destination> = Vec::new();
        for (destination, progress) in multifund.funding.destinations.iter().zip(progress) {
            match progress {
                Progress::Failed(error) => {
                    multifund.failed.push(Failure { peer: destination.offer.peer, method, error });
                }
                _ => left.push(destination.clone()),
            }
        }
        if left.len() < multifund.funding.minchannels {
            let failure = multifund.failed.last().expect("a destination has just failed");
            let data = json!({ "id": failure.peer.to_string(), "method": failure.method });
            let mut error = failure.error.clone();
            error.data = Some(data);
            return self.reply_error(&multifund.client, &error);
        }
        multifund.progress = vec![Progress::Waiting; left.len()];
        multifund.funding.destinations = left;
        multifund.stage = Stage::Connecting;
        self.channels.multifunds.under_way.insert(number, multifund);
        self.connect_destinations(number);
    }

    /// Takes back what was done for the destinations.
    fn undo_multifund(&mut self, multifund: &mut Multifund) {
        if let Some(psbt) = multifund.psbt.take() {
            self.unreserve_inputs(&psbt);
        }
        for (destination, progress) in multifund.funding.destinations.iter().zip(&multifund.progress) {
            match progress {
                Progress::Started(_) => self.cancel_offer(&destination.offer.peer),
                Progress::Completed(_, id) => {
                    let dbid = self.channels.by_channel_id(*id).map(|channel| channel.dbid);
                    if let Some(dbid) = dbid {
                        self.forget_failed_channel(dbid, "Channel open canceled by us");
                    }
                }
                _ => {}
            }
        }
    }

    fn start_destinations(&mut self, number: u64) {
        let Some(multifund) = self.channels.multifunds.under_way.get_mut(&number) else { return };
        multifund.stage = Stage::Starting;
        multifund.progress.fill(Progress::Waiting);
        let (funding, client) = (multifund.funding.clone(), multifund.client.clone());
        let psbt = match self.reserve_funds(&funding) {
            Ok(psbt) => psbt,
            Err(error) => {
                self.channels.multifunds.under_way.remove(&number);
                return self.reply_error(&client, &error);
            }
        };
        let amounts: Vec<u64> = psbt.unsigned_tx.output.iter().map(|output| output.value.to_sat()).collect();
        if let Some(multifund) = self.channels.multifunds.under_way.get_mut(&number) {
            multifund.psbt = Some(psbt);
        }
        for (place, (destination, amount_sat)) in funding.destinations.into_iter().zip(amounts).enumerate() {
            let offer = super::offer::OfferRequest { amount_sat, ..destination.offer };
            if let Err(error) = self.start_offer(offer, Waiter::Multifund(number, place)) {
                self.note_progress(number, place, Progress::Failed(error));
            }
        }
        self.advance_multifund(number);
    }

    /// A transaction with an output for each destination, in their order; scripts are not known yet.
    fn reserve_funds(&mut self, funding: &Funding) -> Result<Psbt, RpcError> {
        let unknown = ScriptBuf::new_p2wsh(&WScriptHash::all_zeros());
        let output = |destination: &Destination| TxOut {
            value: Amount::from_sat(destination.offer.amount_sat),
            script_pubkey: unknown.clone(),
        };
        let feerate = funding.feerate_per_kw.or(self.feerate(Purpose::Opening));
        let cannot = || RpcError::new(code::LIGHTNINGD, "Cannot estimate fees");
        let request = FundRequest {
            outputs: funding.destinations.iter().map(output).collect(),
            all: funding.destinations.iter().position(|destination| destination.all),
            feerate_per_kw: feerate.ok_or_else(cannot)?,
            minconf: funding.minconf,
            utxos: funding.utxos.clone(),
            keep_emergency_funds: true,
        };
        self.fund(request)
    }

    fn complete_destinations(&mut self, number: u64) {
        let Some(multifund) = self.channels.multifunds.under_way.get_mut(&number) else { return };
        multifund.stage = Stage::Completing;
        let Some(psbt) = &mut multifund.psbt else { return };
        for (place, progress) in multifund.progress.iter().enumerate() {
            if let Progress::Started(started) = progress {
                psbt.unsigned_tx.output[place].script_pubkey = started.script.clone();
            }
        }
        let (psbt, txid) = (psbt.clone(), psbt.unsigned_tx.compute_txid());
        let peers: Vec<PublicKey> =
            multifund.funding.destinations.iter().map(|destination| destination.offer.peer).collect();
        for (place, peer) in peers.iter().enumerate() {
            let vout = u32::try_from(place).expect("a few outputs");
            let funding = OutPoint { txid, vout };
            let waiter = Waiter::Multifund(number, place);
            if let Err(error) = self.complete_offer(peer, funding, psbt.clone(), false, waiter) {
                self.note_progress(number, place, Progress::Failed(error));
            }
        }
        self.advance_multifund(number);
    }

    fn send_funding(&mut self, number: u64) {
        let Some(multifund) = self.channels.multifunds.under_way.get_mut(&number) else { return };
        multifund.stage = Stage::Sending;
        let first = multifund.progress.iter().find_map(|progress| match progress {
            Progress::Completed(_, id) => Some(*id),
            _ => None,
        });
        let (psbt, client) = (multifund.psbt.clone(), multifund.client.clone());
        let (Some(mut psbt), Some(first)) = (psbt, first) else { return };
        self.sign_wallet_inputs(&mut psbt);
        match (finalize(&mut psbt), self.channels.by_channel_id(first).map(|channel| channel.dbid)) {
            (Some(tx), Some(dbid)) => {
                self.note_sent_funding(&psbt);
                self.broadcast(tx, Broadcast::Funding(dbid));
            }
            _ => {
                let text = format!("Signed PSBT not finalizeable: {psbt}");
                self.fail_multifund(number, &client, &RpcError::new(code::LIGHTNINGD, text));
            }
        }
    }

    fn fail_multifund(&mut self, number: u64, client: &Client, error: &RpcError) {
        if let Some(mut multifund) = self.channels.multifunds.under_way.remove(&number) {
            self.undo_multifund(&mut multifund);
        }
        self.reply_error(client, error);
    }

    /// The backend has taken the transaction that funds a channel, or not.
    pub(crate) fn funding_sent(&mut self, dbid: u64, txid: Txid, answer: &Result<(), String>) {
        let Some(id) = self.channels.get(dbid).map(super::LocalChannel::channel_id) else { return };
        let has = |multifund: &Multifund| {
            let is_it =
                |progress: &Progress| matches!(progress, Progress::Completed(_, other) if *other == id);
            multifund.stage == Stage::Sending && multifund.progress.iter().any(is_it)
        };
        let found = self.channels.multifunds.under_way.iter().find(|(_, multifund)| has(multifund));
        let Some((number, client)) = found.map(|(number, multifund)| (*number, multifund.client.clone()))
        else {
            return self.funding_sent_again(dbid, answer);
        };
        let Some(tx) = self.stored_tx(txid) else { return };
        if let Err(why) = answer {
            self.stop_broadcast(txid);
            let raw = serialize_hex(&tx);
            let text = format!("Error broadcasting transaction: {why}. Unsent tx discarded {raw}");
            return self.fail_multifund(number, &client, &RpcError::new(code::LIGHTNINGD, text));
        }
        let Some(multifund) = self.channels.multifunds.under_way.remove(&number) else { return };
        self.take_wallet_outputs(&tx, None);
        let result = multifund.result(&tx);
        self.reply(&client, &result);
    }
}

impl Multifund {
    fn result(&self, tx: &Transaction) -> Value {
        let (raw, txid) = (serialize_hex(tx), tx.compute_txid().to_string());
        let mut channels: Vec<Map<String, Value>> = Vec::new();
        for (outnum, (destination, progress)) in
            self.funding.destinations.iter().zip(&self.progress).enumerate()
        {
            let Progress::Completed(started, id) = progress else { continue };
            let mut channel = Map::new();
            let mut add = |name: &str, value: Value| drop(channel.insert(name.to_owned(), value));
            if self.funding.is_single {
                add("channel_id", id.to_string().into());
                add("channel_type", channel_type_json(started.channel_type));
                add("outnum", outnum.into());
            } else {
                add("id", destination.offer.peer.to_string().into());
                add("channel_id", id.to_string().into());
                add("channel_type", channel_type_json(started.channel_type));
                add("outnum", outnum.into());
            }
            if let Some(close_to) = &started.close_to {
                add("close_to", close_to.to_hex_string().into());
            }
            channels.push(channel);
        }
        let mut result = Map::new();
        result.insert("tx".to_owned(), raw.into());
        result.insert("txid".to_owned(), txid.into());
        if self.funding.is_single {
            result.extend(channels.into_iter().flatten());
            return result.into();
        }
        result.insert("channel_ids".to_owned(), channels.into_iter().map(Value::from).collect());
        let failed = self.failed.iter().map(|failure| {
            let error = json!({ "code": failure.error.code, "message": failure.error.message });
            json!({ "id": failure.peer.to_string(), "method": failure.method, "error": error })
        });
        if !self.failed.is_empty() {
            result.insert("failed".to_owned(), failed.collect());
        }
        result.into()
    }
}
