//! Opening a channel as the one who pays for it (`lightningd/opening_control.c:json_fundchannel_start`).

use super::{At, Commit, Role, Uncommitted, channel_type_json};
use crate::chain::feerates::Purpose;
use crate::event::LogLevel;
use crate::jsonrpc::Client;
use crate::peer::PeerState;
use crate::state::State;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Address, Network, OutPoint, Psbt, ScriptBuf};
use leyden_bolt::channel::{OpenError, OpenRequest, Opening};
use leyden_bolt::features::bit;
use leyden_bolt::message::channel::{AcceptChannel, FundingSigned};
use leyden_bolt::transaction::ChannelType;
use leyden_bolt::{ChannelId, Features};
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, json};

/// The amount is more than the peer takes (`FUND_MAX_EXCEEDED`).
const MAX_EXCEEDED: i64 = 300;
/// The peer is known, and away (`FUNDING_PEER_NOT_CONNECTED`).
pub(super) const PEER_NOT_CONNECTED: i64 = 305;
/// The peer is not known (`FUNDING_UNKNOWN_PEER`).
pub(super) const UNKNOWN_PEER: i64 = 306;

/// What a peer that does not know large channels takes.
const LARGEST_SMALL_CHANNEL_SAT: u64 = (1 << 24) - 1;

/// What is asked of a new channel.
#[derive(Debug, Clone)]
pub(super) struct OfferRequest {
    pub(super) peer: PublicKey,
    pub(super) amount_sat: u64,
    /// Of the first commitments without anchors, in sat per kw.
    pub(super) feerate_per_kw: Option<u32>,
    pub(super) announce: bool,
    pub(super) push_msat: u64,
    pub(super) close_to: Option<ScriptBuf>,
    pub(super) mindepth: Option<u32>,
    pub(super) reserve_sat: Option<u64>,
    pub(super) channel_type: Option<ChannelType>,
}

/// A channel that we are opening.
#[derive(Debug)]
pub(super) struct Offer {
    opening: Opening,
    /// Whether the peer has accepted: it may be funded.
    pub(super) accepted: bool,
    /// Who waits for the peer.
    pub(super) waiter: Option<Client>,
    /// Who wants to stop it.
    pub(super) cancels: Vec<Client>,
    close_to: Option<ScriptBuf>,
    psbt: Option<Psbt>,
    withheld: bool,
}

/// What an opening has come to.
#[derive(Debug)]
pub(super) enum Answer {
    /// The peer has accepted.
    Started(Started),
    /// The first commitments are signed.
    Completed(ChannelId),
}

/// What is known of a channel that the peer has accepted.
#[derive(Debug, Clone)]
pub(super) struct Started {
    /// Pays to the channel.
    pub(super) script: ScriptBuf,
    pub(super) close_to: Option<ScriptBuf>,
    pub(super) channel_type: ChannelType,
}

impl Offer {
    /// The output that funds the channel, once the peer has accepted: its script, and its amount in sat.
    pub(super) fn wanted_output(&self) -> (ScriptBuf, u64) {
        let script = self.opening.funding_output_script().unwrap_or_default();
        (script, self.opening.open_channel().funding_satoshis)
    }
}

impl State {
    /// Refuses what lightningd refuses before it speaks with the peer.
    pub(super) fn check_offer(&self, request: &OfferRequest) -> Result<(), RpcError> {
        let OfferRequest { amount_sat, push_msat, .. } = request;
        if u128::from(*push_msat) > u128::from(*amount_sat) * 1000 {
            let text = format!(
                "Requested to push_msat of {push_msat}msat is greater than available funding amount {amount_sat}sat"
            );
            return Err(RpcError::new(code::FUND_CANNOT_AFFORD, text));
        }
        if self.feerate(Purpose::Opening).is_none() || self.feerate(Purpose::AnchorClose).is_none() {
            return Err(RpcError::new(code::LIGHTNINGD, "Cannot estimate fees"));
        }
        let features = self.connected_features(&request.peer)?;
        if *amount_sat > LARGEST_SMALL_CHANNEL_SAT && !self.negotiated(features, bit::LARGE_CHANNELS) {
            let text = format!("Amount exceeded {LARGEST_SMALL_CHANNEL_SAT}sat");
            return Err(RpcError::new(MAX_EXCEEDED, text));
        }
        match self.channels.uncommitted.get(&request.peer).map(|uncommitted| &uncommitted.role) {
            None => Ok(()),
            Some(Role::Opener(_)) => Err(RpcError::new(code::LIGHTNINGD, "Already funding channel")),
            Some(Role::Acceptor(_)) => {
                Err(RpcError::new(code::LIGHTNINGD, "Have in-progress `open_channel` from peer"))
            }
        }
    }

    /// What the peer said in `init`.
    pub(super) fn connected_features(&self, peer: &PublicKey) -> Result<&Features, RpcError> {
        let connection = self.peers.of(peer, PeerState::Connected);
        if let Some(open) = connection.and_then(|connection| self.peers.get(connection)) {
            return Ok(&open.features);
        }
        let is_connecting = self.peers.of(peer, PeerState::Dialling).is_some();
        if is_connecting || self.channels.of_peer(peer).next().is_some() {
            let text = if is_connecting { "Peer still connecting" } else { "Peer not connected" };
            return Err(RpcError::new(PEER_NOT_CONNECTED, text));
        }
        Err(RpcError::new(UNKNOWN_PEER, "Unknown peer"))
    }

    pub(super) fn negotiated(&self, theirs: &Features, bit: usize) -> bool {
        self.peer_features.init.offers(bit) && theirs.offers(bit)
    }

    /// Sends `open_channel`; the answer goes to `waiter`.
    ///
    /// # Errors
    /// If lightningd would not send it.
    pub(super) fn start_offer(&mut self, request: OfferRequest, waiter: Client) -> Result<(), RpcError> {
        self.check_offer(&request)?;
        let peer = request.peer;
        let theirs = self.connected_features(&peer)?.clone();
        let connection = self.peers.of(&peer, PeerState::Connected).expect("it was just found");
        let dbid = self.channels.next_dbid();
        if !request.announce {
            self.log_main(LogLevel::Info, &format!("Will open private channel with node {peer}"));
        }
        let anchors = self.negotiated(&theirs, bit::ANCHORS_ZERO_FEE_HTLC_TX);
        let wanted = ChannelType { anchors, ..ChannelType::STATIC_REMOTEKEY };
        let channel_type = request.channel_type.unwrap_or(wanted);
        let feerate = if channel_type.anchors {
            self.feerate(Purpose::AnchorClose)
        } else {
            request.feerate_per_kw.or(self.feerate(Purpose::Opening))
        };
        let channel_id = ChannelId(self.entropy.draw());
        let us = self.our_side(&peer, theirs, dbid, request.reserve_sat, request.close_to.clone());
        let open_request = OpenRequest {
            chain_hash: ChainHash::REGTEST,
            temporary_channel_id: channel_id,
            funding_satoshis: request.amount_sat,
            push_msat: request.push_msat,
            feerate_per_kw: feerate.expect("fee rates were looked at before"),
            channel_type,
            announce: request.announce,
            minimum_depth: request.mindepth.unwrap_or(self.config.channels.funding_confirms),
        };
        let (opening, message) = Opening::offer(us, open_request)
            .map_err(|error| RpcError::new(code::LIGHTNINGD, error.reason()))?;
        let offer = Offer {
            opening,
            accepted: false,
            waiter: Some(waiter),
            cancels: Vec::new(),
            close_to: request.close_to,
            psbt: None,
            withheld: false,
        };
        let role = Role::Opener(Box::new(offer));
        self.channels.uncommitted.insert(peer, Uncommitted { dbid, connection, channel_id, role });
        self.send_opening_message(&peer, dbid, connection, &message.into());
        Ok(())
    }

    /// The peer has accepted.
    pub(super) fn offer_accepted(&mut self, at: At, mut offer: Box<Offer>, accept: &AcceptChannel) {
        let (peer, dbid, connection, channel_id) = at;
        if let Err(error) = offer.opening.accepted(accept) {
            return self.opening_failed(at, Role::Opener(offer), &error);
        }
        offer.accepted = true;
        let started = Started {
            script: offer.opening.funding_output_script().expect("the peer has accepted"),
            close_to: offer.close_to.clone(),
            channel_type: offer.opening.channel_type(),
        };
        let waiter = offer.waiter.take();
        let role = Role::Opener(offer);
        self.channels.uncommitted.insert(peer, Uncommitted { dbid, connection, channel_id, role });
        if let Some(waiter) = waiter {
            self.opening_answered(&waiter, Ok(Answer::Started(started)));
        }
    }

    /// Tells the peer which output funds the channel; its answer goes to `waiter`.
    ///
    /// # Errors
    /// If nothing is to be funded, or the commitments cannot be paid.
    pub(super) fn complete_offer(
        &mut self,
        peer: &PublicKey,
        funding: OutPoint,
        psbt: Psbt,
        withheld: bool,
        waiter: Client,
    ) -> Result<(), RpcError> {
        let refuse = |text: &str| RpcError::new(code::LIGHTNINGD, text);
        let uncommitted = self.channels.uncommitted.get_mut(peer);
        let uncommitted = uncommitted.ok_or_else(|| refuse("No channel funding in progress."))?;
        let (dbid, connection) = (uncommitted.dbid, uncommitted.connection);
        let Role::Opener(offer) = &mut uncommitted.role else {
            return Err(refuse("No channel funding in progress."));
        };
        let message = offer.opening.fund(funding);
        match message {
            Ok(message) => {
                offer.psbt = Some(psbt);
                offer.withheld = withheld;
                offer.waiter = Some(waiter);
                self.send_opening_message(peer, dbid, connection, &message.into());
                Ok(())
            }
            Err(error) => {
                let reason = error.reason().to_owned();
                self.abort_offer(peer, &error);
                Err(RpcError::new(code::LIGHTNINGD, reason))
            }
        }
    }

    /// Gives an opening up, and tells the peer.
    pub(super) fn abort_offer(&mut self, peer: &PublicKey, error: &OpenError) {
        let Some(uncommitted) = self.channels.uncommitted.remove(peer) else { return };
        let Uncommitted { dbid, connection, channel_id, role } = uncommitted;
        self.opening_failed((*peer, dbid, connection, channel_id), role, error);
    }

    /// The peer has signed our first commitment: there is a channel.
    pub(super) fn funding_signed(&mut self, at: At, offer: Offer, signed: &FundingSigned) {
        let (peer, dbid, connection, _) = at;
        let Offer { opening, waiter, close_to, psbt, withheld, cancels, accepted } = offer;
        let (announce, minimum_depth) = (opening.is_announced(), opening.minimum_depth());
        let push_msat = opening.open_channel().push_msat;
        let rest = opening.clone();
        let bolt = match opening.funding_signed(signed) {
            Ok(bolt) => bolt,
            Err(error) => {
                let offer = Offer { opening: rest, waiter, close_to, psbt, withheld, cancels, accepted };
                return self.opening_failed(at, Role::Opener(Box::new(offer)), &error);
            }
        };
        let channel_id = bolt.channel_id();
        let funding_psbt = psbt.map(|psbt| psbt.serialize());
        let commit = Commit {
            dbid,
            peer,
            connection,
            announce,
            minimum_depth,
            push_msat,
            close_to,
            funding_psbt,
            withheld,
        };
        let committed = self.commit_channel(bolt, commit);
        if let Some(waiter) = waiter {
            self.opening_answered(&waiter, committed.map(|()| Answer::Completed(channel_id)));
        }
        for client in cancels {
            self.cancel_committed(&peer, &client);
        }
    }

    /// Somebody has waited for this.
    pub(super) fn opening_answered(&mut self, client: &Client, answer: Result<Answer, RpcError>) {
        match answer {
            Err(error) => self.reply_error(client, &error),
            Ok(Answer::Started(started)) => self.reply_started(client, &started),
            Ok(Answer::Completed(channel_id)) => {
                let result = json!({ "channel_id": channel_id.to_string(), "commitments_secured": true });
                self.reply(client, &result);
            }
        }
    }

    fn reply_started(&mut self, client: &Client, started: &Started) {
        let address = Address::from_script(&started.script, Network::Regtest);
        let mut result = Map::new();
        let address = address.expect("a P2WSH output has an address").to_string();
        result.insert("funding_address".to_owned(), address.into());
        result.insert("scriptpubkey".to_owned(), started.script.to_hex_string().into());
        if let Some(close_to) = &started.close_to {
            result.insert("close_to".to_owned(), close_to.to_hex_string().into());
        }
        result.insert("channel_type".to_owned(), channel_type_json(started.channel_type));
        let warning = "The funding transaction MUST NOT be broadcast until after channel establishment has been \
                       successfully completed by running `fundchannel_complete`";
        result.insert("warning_usage".to_owned(), warning.into());
        self.reply(client, &result);
    }
}
