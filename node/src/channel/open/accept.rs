//! Opening a channel that the peer pays for, with the hook `openchannel` (`lightningd/opening_control.c`).

use super::{At, Commit, Role, Uncommitted, features_json};
use crate::chain::feerates::Purpose;
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::peer::PeerState;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use crate::wallet::param::{BadAddress, parse_address, parse_sat};
use bitcoin::ScriptBuf;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ChannelId;
use leyden_bolt::channel::{Acceptance, OpenError, Opening};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::message::channel::{FundingCreated, OpenChannel};
use leyden_protocol::json;
use leyden_protocol::profile::channel::Proposal;

/// A channel that the peer is opening.
#[derive(Debug)]
pub(super) struct Acceptor {
    opening: Opening,
    close_to: Option<ScriptBuf>,
}

/// What plugins have said to a proposal so far.
#[derive(Debug, Default)]
pub(crate) struct OpenchannelCall {
    connection: Option<ConnectionId>,
    channel_id: Option<ChannelId>,
    close_to: Option<ScriptBuf>,
    mindepth: Option<u32>,
    reserve_sat: Option<u64>,
    /// What the peer is told if a plugin does not want the channel.
    error: Option<String>,
}

impl State {
    /// A peer proposes a channel.
    pub(crate) fn open_channel_received(
        &mut self,
        connection: ConnectionId,
        peer: PublicKey,
        open: OpenChannel,
    ) {
        let channel_id = open.temporary_channel_id;
        if self.channels.uncommitted.contains_key(&peer) {
            return self.send_error(connection, channel_id, "Multiple simultaneous opens not supported");
        }
        let Some(theirs) = self.peers.get(connection).map(|peer| peer.features.clone()) else { return };
        let dbid = self.channels.next_dbid();
        let source = format!("{peer}-openingd-chan#{dbid}");
        self.log(LogLevel::Debug, &source, "peer_in WIRE_OPEN_CHANNEL");
        let us = self.our_side(&peer, theirs, dbid, None, None);
        let proposal = proposal(&peer, &open);
        match Opening::received(us, ChainHash::REGTEST, open) {
            Ok(opening) => {
                let role = Role::Acceptor(Box::new(Acceptor { opening, close_to: None }));
                self.channels.uncommitted.insert(peer, Uncommitted { dbid, connection, channel_id, role });
                self.ask_openchannel(connection, channel_id, peer, &proposal);
            }
            Err(error) => {
                self.send_error(connection, channel_id, &error.to_string());
                let text = format!("aborted opening negotiation: {}", error.reason());
                self.log(LogLevel::Debug, &source, &text);
            }
        }
    }

    fn ask_openchannel(
        &mut self,
        connection: ConnectionId,
        channel_id: ChannelId,
        peer: PublicKey,
        proposal: &Proposal,
    ) {
        let call = OpenchannelCall {
            connection: Some(connection),
            channel_id: Some(channel_id),
            ..OpenchannelCall::default()
        };
        if self.feerate(Purpose::Opening).is_none() {
            let error = Some("Cannot accept channel: feerates unknown".to_owned());
            return self.openchannel_final(peer, OpenchannelCall { error, ..call });
        }
        let payload = self.profile.openchannel(proposal, self.config.allow_deprecated_apis).to_string();
        let subject = Subject::Openchannel(peer, Box::new(call));
        self.call_hook("openchannel", FilterKey::None, payload, None, subject);
    }

    /// A plugin's answer to `openchannel`.
    pub(crate) fn openchannel_answer(&mut self, call: &mut OpenchannelCall, result: &str) -> Verdict {
        let Some(token) = json::member(result, "result") else {
            self.fatal(&format!("Plugin returned an invalid response to the openchannel hook: {result}"));
            return Verdict::Stop;
        };
        let close_to = json::member(result, "close_to");
        match json::content(token) {
            "reject" => {
                let error = json::member(result, "error_message").map(json::content).unwrap_or_default();
                let text = format!("openchannel hook rejects and says '{error}'");
                self.log_main(LogLevel::Debug, &text);
                if close_to.is_some() {
                    self.fatal("Plugin rejected openchannel but also set close_to");
                    return Verdict::Stop;
                }
                call.error = Some(error.to_owned());
                return Verdict::Settled;
            }
            "continue" => {}
            _ => {
                self.fatal(&format!("Plugin returned an invalid result for the openchannel hook: {token}"));
                return Verdict::Stop;
            }
        }
        if let Some(token) = close_to {
            if call.close_to.is_some() {
                let text = "openchannel hook close_to address was already set by other plugin. Ignoring!";
                self.log_main(LogLevel::Broken, text);
                return Verdict::Next;
            }
            match parse_address(json::content(token)) {
                Ok(script) => call.close_to = Some(script),
                Err(error) => {
                    self.fatal(&bad_close_to(&error, token));
                    return Verdict::Stop;
                }
            }
        }
        if self.profile.openchannel_sets_depth_and_reserve() {
            self.note_depth_and_reserve(call, result);
        }
        Verdict::Next
    }

    fn note_depth_and_reserve(&mut self, call: &mut OpenchannelCall, result: &str) {
        let number = |name| json::member(result, name).map(json::content);
        if let Some(depth) = number("mindepth").and_then(|depth| depth.parse().ok()) {
            call.mindepth = Some(depth);
            let text =
                format!("Setting mindepth={depth} for this channel as requested by the openchannel hook");
            self.log_main(LogLevel::Debug, &text);
        }
        if let Some(reserve) = number("reserve").and_then(parse_sat) {
            call.reserve_sat = Some(reserve);
            let text =
                format!("Setting reserve={reserve}sat for this channel as requested by the openchannel hook");
            self.log_main(LogLevel::Debug, &text);
        }
    }

    /// Every plugin has been asked, or one has refused.
    pub(crate) fn openchannel_final(&mut self, peer: PublicKey, call: OpenchannelCall) {
        let OpenchannelCall { connection, channel_id, close_to, mindepth, reserve_sat, error } = call;
        // The peer may have gone, and come again, while plugins were asked.
        let still = |uncommitted: &Uncommitted| {
            Some(uncommitted.connection) == connection && Some(uncommitted.channel_id) == channel_id
        };
        if self.peers.of(&peer, PeerState::Connected) != connection
            || !self.channels.uncommitted.get(&peer).is_some_and(still)
        {
            return;
        }
        let Some(uncommitted) = self.channels.uncommitted.remove(&peer) else { return };
        let Uncommitted { dbid, connection, channel_id, role: Role::Acceptor(mut acceptor) } = uncommitted
        else {
            return;
        };
        let at = (peer, dbid, connection, channel_id);
        if let Some(error) = error {
            let error = OpenError::BadParameters(error);
            return self.opening_failed(at, Role::Acceptor(acceptor), &error);
        }
        let acceptance = Acceptance {
            minimum_depth: mindepth.unwrap_or(self.config.channels.funding_confirms),
            upfront_shutdown_script: close_to.clone(),
            reserve_sat,
        };
        match acceptor.opening.accept(acceptance) {
            Ok(message) => {
                acceptor.close_to = close_to;
                let role = Role::Acceptor(acceptor);
                self.channels.uncommitted.insert(peer, Uncommitted { dbid, connection, channel_id, role });
                self.send_opening_message(&peer, dbid, connection, &message.into());
            }
            Err(error) => self.opening_failed(at, Role::Acceptor(acceptor), &error),
        }
    }

    /// The peer has made the funding transaction, and signed our first commitment: there is a channel.
    pub(super) fn funding_created(&mut self, at: At, acceptor: Acceptor, created: &FundingCreated) {
        let (peer, dbid, connection, channel_id) = at;
        let Acceptor { opening, close_to } = acceptor;
        let (announce, minimum_depth) = (opening.is_announced(), opening.minimum_depth());
        let push_msat = opening.open_channel().push_msat;
        let source = format!("{peer}-openingd-chan#{dbid}");
        let (bolt, signed) = match opening.funding_created(created) {
            Ok(done) => done,
            Err(error) => {
                self.send_error(connection, channel_id, &error.to_string());
                let text = format!("aborted opening negotiation: {}", error.reason());
                return self.log(LogLevel::Debug, &source, &text);
            }
        };
        if self.channels.by_channel_id(bolt.channel_id()).is_some() {
            // An output funds one channel at most.
            return self.warn_and_close(connection, "Funding outpoint already in use");
        }
        let funding_psbt = None;
        let commit = Commit {
            dbid,
            peer,
            connection,
            announce,
            minimum_depth,
            push_msat,
            close_to,
            funding_psbt,
            withheld: false,
        };
        // Before `channel_ready`, which may follow at once.
        self.send_opening_message(&peer, dbid, connection, &ChannelMessage::from(signed));
        if let Err(error) = self.commit_channel(bolt, commit) {
            return self.log(LogLevel::Broken, &source, &error.message);
        }
        self.notify_of_opened_channel(dbid);
    }
}

fn bad_close_to(error: &BadAddress, token: &str) -> String {
    match error {
        BadAddress::Unreadable => {
            format!("Plugin returned an invalid response to the openchannel.close_to hook: {token}")
        }
        BadAddress::OtherNetwork => format!(
            "Plugin returned invalid response to the openchannel.close_to hook: address {} is not on network regtest",
            json::content(token)
        ),
    }
}

/// What plugins are shown of a proposal.
fn proposal(peer: &PublicKey, open: &OpenChannel) -> Proposal {
    let script = open.upfront_shutdown_script().filter(|script| !script.is_empty());
    Proposal {
        id: peer.to_string(),
        funding_sat: open.funding_satoshis,
        push_msat: open.push_msat,
        dust_limit_sat: open.dust_limit_satoshis,
        max_htlc_value_in_flight_msat: open.max_htlc_value_in_flight_msat,
        channel_reserve_sat: open.channel_reserve_satoshis,
        htlc_minimum_msat: open.htlc_minimum_msat,
        feerate_per_kw: open.feerate_per_kw,
        to_self_delay: open.to_self_delay,
        max_accepted_htlcs: open.max_accepted_htlcs,
        channel_flags: open.channel_flags,
        shutdown_scriptpubkey: script.map(bitcoin::Script::to_hex_string),
        channel_type: features_json(&open.channel_type().unwrap_or_default()),
    }
}
