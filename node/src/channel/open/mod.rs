//! Opening channels, from either side: what there is before a channel has a row in the database
//! (`lightningd/opening_control.c`).
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`offer`] | as the one who pays | `opening_control.c` |
//! | [`accept`] | as the other one, with the hook `openchannel` | `opening_control.c` |
//! | [`command`] | `fundchannel_start`, `fundchannel_complete`, `fundchannel_cancel` | `opening_control.c` |
//! | [`multifund`], [`destination`] | `fundchannel`, `multifundchannel` | `plugins/spender/multifundchannel.c` |

pub(crate) mod accept;
pub(crate) mod command;
mod destination;
pub(crate) mod multifund;
pub(crate) mod offer;

use super::LocalChannel;
use super::billboard::Billboard;
use super::channel_state::ChannelState;
use super::{CloseFees, Policy, Stats};
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::output::Output;
use crate::state::State;
use accept::Acceptor;
use bitcoin::ScriptBuf;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::channel::{Channel, OpenError, OpeningLimits, OurSide};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::transaction::{ChannelConfig, ChannelType, Side};
use leyden_bolt::{ChannelId, Features};
use leyden_protocol::message::{RpcError, code};
pub(super) use multifund::Multifunds;
use offer::Offer;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many blocks we wait for our own money at most (`max_htlc_cltv`).
const MAX_TO_SELF_DELAY: u16 = 2016;

/// Outputs below it are not relayed.
const DUST_LIMIT_SAT: u64 = 546;

/// A channel that is being opened, on one connection (`struct uncommitted_channel`).
#[derive(Debug)]
pub(super) struct Uncommitted {
    dbid: u64,
    connection: ConnectionId,
    channel_id: ChannelId,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Opener(Box<Offer>),
    Acceptor(Box<Acceptor>),
}

/// What goes into the database beside the channel itself.
struct Commit {
    dbid: u64,
    peer: PublicKey,
    connection: ConnectionId,
    announce: bool,
    minimum_depth: u32,
    push_msat: u64,
    /// Where our money goes, if somebody wants it elsewhere than into the wallet.
    close_to: Option<ScriptBuf>,
    funding_psbt: Option<Vec<u8>>,
    withheld: bool,
}

impl State {
    /// What we bring into an opening with the peer of a connection.
    fn our_side(
        &self,
        peer: &PublicKey,
        peer_features: Features,
        dbid: u64,
        reserve_sat: Option<u64>,
        close_to: Option<ScriptBuf>,
    ) -> OurSide {
        let config = &self.config.channels;
        let (min_feerate_per_kw, max_feerate_per_kw) =
            if config.ignore_fee_limits { (1, u32::MAX) } else { self.feerate_limits() };
        OurSide {
            keys: self.hsm_secret.channel_keys(peer, dbid),
            config: ChannelConfig {
                dust_limit_satoshis: DUST_LIMIT_SAT,
                max_htlc_value_in_flight_msat: u64::MAX,
                channel_reserve_satoshis: 0,
                htlc_minimum_msat: config.htlc_minimum_msat,
                to_self_delay: config.to_self_delay,
                max_accepted_htlcs: config.max_concurrent_htlcs,
                max_dust_htlc_exposure_msat: config.max_dust_htlc_exposure_msat,
            },
            reserve_sat,
            allow_dust_reserve: false,
            limits: OpeningLimits {
                max_to_self_delay: MAX_TO_SELF_DELAY,
                min_effective_htlc_capacity_msat: self.config.min_capacity_sat.saturating_mul(1000),
                min_feerate_per_kw,
                max_feerate_per_kw,
            },
            upfront_shutdown_script: close_to,
            features: self.peer_features.init.clone(),
            peer_features,
        }
    }

    /// A peer sent a message of an opening.
    pub(super) fn opening_message(&mut self, peer: &PublicKey, message: ChannelMessage) {
        let Some(uncommitted) = self.channels.uncommitted.remove(peer) else { return };
        let name = super::flush::wire_name(&message);
        let source = format!("{peer}-openingd-chan#{}", uncommitted.dbid);
        self.log(LogLevel::Debug, &source, &format!("peer_in {name}"));
        let Uncommitted { dbid, connection, channel_id, role } = uncommitted;
        let at = (*peer, dbid, connection, channel_id);
        match (role, message) {
            (Role::Opener(offer), ChannelMessage::AcceptChannel(accept)) => {
                self.offer_accepted(at, offer, &accept);
            }
            (Role::Opener(offer), ChannelMessage::FundingSigned(signed)) => {
                self.funding_signed(at, *offer, &signed);
            }
            (Role::Acceptor(acceptor), ChannelMessage::FundingCreated(created)) => {
                self.funding_created(at, *acceptor, &created);
            }
            (role, _) => {
                let error = OpenError::Failed(format!("Unexpected message {name}"));
                self.opening_failed(at, role, &error);
            }
        }
    }

    /// Sends a message of an opening.
    fn send_opening_message(
        &mut self,
        peer: &PublicKey,
        dbid: u64,
        connection: ConnectionId,
        message: &ChannelMessage,
    ) {
        let source = format!("{peer}-openingd-chan#{dbid}");
        self.log(LogLevel::Debug, &source, &format!("peer_out {}", super::flush::wire_name(message)));
        self.out.push(Output::ToPeer(connection, message.encode()));
    }

    /// There will be no channel: the peer is told, and whoever waits.
    fn opening_failed(&mut self, (peer, dbid, connection, id): At, role: Role, error: &OpenError) {
        if !matches!(error, OpenError::Aborted(_)) {
            self.send_error(connection, id, &error.to_string());
        }
        let source = format!("{peer}-openingd-chan#{dbid}");
        self.log(LogLevel::Debug, &source, &format!("aborted opening negotiation: {}", error.reason()));
        self.opening_ended(role, error.reason());
    }

    /// Whoever waits for an opening waits in vain.
    fn opening_ended(&mut self, role: Role, reason: &str) {
        if let Role::Opener(offer) = role {
            let Offer { waiter, cancels, .. } = *offer;
            for client in cancels {
                self.reply(&client, &json!({ "cancelled": reason }));
            }
            if let Some(waiter) = waiter {
                self.opening_answered(&waiter, Err(RpcError::new(code::LIGHTNINGD, reason)));
            }
        }
    }

    /// The peer sent an `error` while a channel was being opened.
    pub(super) fn opening_failed_by_peer(&mut self, peer: &PublicKey, id: ChannelId, text: &str) {
        let is_meant = |uncommitted: &Uncommitted| [ChannelId::ALL, uncommitted.channel_id].contains(&id);
        if !self.channels.uncommitted.get(peer).is_some_and(is_meant) {
            return;
        }
        let Some(uncommitted) = self.channels.uncommitted.remove(peer) else { return };
        let Uncommitted { dbid, connection, channel_id, role } = uncommitted;
        let error = OpenError::Aborted(format!("They sent {text}"));
        self.opening_failed((*peer, dbid, connection, channel_id), role, &error);
    }

    /// Gives up an opening, whoever began it, without a word to the peer but the end of the connection.
    pub(super) fn kill_opening(&mut self, peer: &PublicKey, why: &str) {
        let Some(uncommitted) = self.channels.uncommitted.remove(peer) else { return };
        let source = format!("{peer}-chan#{}", uncommitted.dbid);
        self.log(LogLevel::Info, &source, &format!("Killing opening daemon: {why}"));
        self.opening_ended(uncommitted.role, why);
        self.out.push(Output::ClosePeer(uncommitted.connection));
        self.forget_peer(uncommitted.connection);
    }

    /// The connection is gone: nothing of the opening is left.
    pub(super) fn opening_lost_peer(&mut self, connection: ConnectionId, peer: &PublicKey) {
        let on_it = |uncommitted: &Uncommitted| uncommitted.connection == connection;
        if !self.channels.uncommitted.get(peer).is_some_and(on_it) {
            return;
        }
        let Some(uncommitted) = self.channels.uncommitted.remove(peer) else { return };
        let source = format!("{peer}-chan#{}", uncommitted.dbid);
        self.log(LogLevel::Info, &source, "Peer connection lost");
        self.opening_ended(uncommitted.role, "Peer connection lost");
    }

    /// The first commitments are signed: from now on the channel is in the database.
    fn commit_channel(&mut self, bolt: Channel, commit: Commit) -> Result<(), RpcError> {
        let Commit { dbid, peer, connection, .. } = commit;
        let (final_key_index, script) = self.wallet_script()?;
        let config = &self.config.channels;
        let our_msat = bolt.balance_msat(Side::Local);
        let capacity_msat = bolt.terms().capacity_sat * 1000;
        let policy = Policy {
            fee_base_msat: config.fee_base_msat,
            fee_proportional_millionths: config.fee_proportional_millionths,
            htlc_minimum_msat: config.htlc_minimum_msat,
            htlc_maximum_msat: config.htlc_maximum_msat.min(usable_msat(&bolt, capacity_msat)),
        };
        let channel = LocalChannel {
            dbid,
            peer,
            state: ChannelState::AwaitingLockin,
            scid: None,
            alias_local: self.draw_alias(),
            alias_remote: None,
            announce: commit.announce,
            minimum_depth: commit.minimum_depth,
            depth: 0,
            push_msat: commit.push_msat,
            policy,
            older_policy: None,
            peer_policy: None,
            final_key_index,
            close_to: commit.close_to.unwrap_or(script),
            closer: None,
            cause: match bolt.terms().opener {
                Side::Local => super::channel_state::Cause::User,
                Side::Remote => super::channel_state::Cause::Remote,
            },
            changes: Vec::new(),
            in_stats: Stats::default(),
            out_stats: Stats::default(),
            our_msat_range: (our_msat, our_msat),
            first_block: self.topology.height(),
            close_attempt_height: 0,
            last_stable_connection: 0,
            funding_psbt: commit.funding_psbt,
            withheld: commit.withheld,
            ignore_fee_limits: self.config.channels.ignore_fee_limits,
            mutual_close: None,
            close_fees: CloseFees::default(),
            connection: Some(connection),
            reestablished: true,
            billboard: Billboard::default(),
            error: None,
            lost_state: false,
            origins: BTreeMap::new(),
            stored: None,
            stored_columns: BTreeMap::new(),
            config_ids: [0; 2],
            shachain_id: 0,
            bolt,
        };
        self.channels.by_dbid.insert(dbid, channel);
        self.insert_channel(dbid);
        self.store_channel(dbid);
        self.notify_of_new_channel(dbid);
        self.watch_funding(dbid);
        self.want_feerate(dbid);
        self.await_stability(dbid);
        self.maybe_channel_ready(dbid);
        Ok(())
    }
}

/// The peer, the number of the channel, the connection and the temporary name.
type At = (PublicKey, u64, ConnectionId, ChannelId);

/// The most that one HTLC of ours could carry (`channel.c:htlc_max_possible_send`).
fn usable_msat(bolt: &Channel, capacity_msat: u64) -> u64 {
    let theirs = bolt.terms().config(Side::Remote);
    let unreserved = capacity_msat.saturating_sub(theirs.channel_reserve_satoshis.saturating_mul(1000));
    unreserved.min(theirs.max_htlc_value_in_flight_msat)
}

/// A type of channel with the names of its bits, as answers and hooks show it.
pub(crate) fn channel_type_json(kind: ChannelType) -> Value {
    features_json(&kind.to_features())
}

/// Bits with their names.
fn features_json(features: &Features) -> Value {
    let names = features.bits().map(channel_type_bit);
    json!({ "bits": features.bits().collect::<Vec<_>>(), "names": names.collect::<Vec<_>>() })
}

/// The name of a bit in a type of channel (`common/json_channel_type.c`): without `option_`.
fn channel_type_bit(bit: usize) -> String {
    let name = leyden_bolt::features::feature_name(bit);
    name.strip_prefix("option_").unwrap_or(&name).to_owned()
}
