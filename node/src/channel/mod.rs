//! Channels: what the node knows of them beyond what [`leyden_bolt::channel`] does, which is the state machine.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`channel_state`] | how far a channel is, and why | `channel_state.h` |
//! | [`change`] | going from one state to another, and who is told | `channel.c:channel_set_state` |
//! | [`message`] | messages of peers: which channel they are for, what becomes of errors | `peer_control.c` |
//! | [`flush`] | at the end of each input: commitments, rows, and what a channel wants done | `channeld` |
//! | [`rows`], [`htlc_rows`], [`stored`], [`load`] | channels in CLN's tables | `wallet/wallet.c` |
//! | [`open`] | opening, from either side | `opening_control.c` |
//! | [`lockin`] | from the funding transaction to a usable channel | `channel_control.c` |
//! | [`feerate`] | what commitments pay | `channel_control.c` |
//! | [`htlc`] | HTLCs, for those who offer and settle them | `peer_htlcs.c` |
//! | [`revocation`] | the hook `commitment_revocation` | `peer_htlcs.c` |
//! | [`close`] | closing by agreement, the command `close` | `closing_control.c` |
//! | [`fail`] | closing without, and forgetting | `channel.c`, `peer_control.c` |
//! | [`anchorspend`] | raising the fee of a commitment on its way into a block | `anchorspend.c` |
//! | [`withheld`] | channels whose funding is kept back | `peer_control.c`, `walletrpc.c` |
//! | [`reconnect`], [`stable`] | connections to peers with channels, and how they last | `connectd.c`, `channel_gossip.c` |
//! | [`list`], [`closed`] | `listpeerchannels`, `listclosedchannels` | `peer_control.c`, `closed_channel.c` |
//! | [`billboard`] | what daemons have to say about a channel | `channel.c` |
//! | [`setchannel`] | `setchannel` | `peer_control.c` |

pub(crate) mod anchorspend;
mod billboard;
mod change;
pub(crate) mod channel_state;
pub(crate) mod close;
pub(crate) mod closed;
pub(crate) mod fail;
pub(crate) mod feerate;
mod flush;
pub(crate) mod htlc;
mod htlc_rows;
pub(crate) mod list;
mod load;
mod lockin;
mod message;
pub(crate) mod open;
pub(crate) mod reconnect;
pub(crate) mod revocation;
mod rows;
pub(crate) mod setchannel;
mod stable;
mod stored;
mod withheld;

use crate::input::ConnectionId;
use billboard::Billboard;
use bitcoin::hashes::sha256;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, Psbt, ScriptBuf, Transaction};
use change::StateChange;
use channel_state::{Cause, ChannelState};
use close::CloseCommand;
use leyden_bolt::channel::{Channel, NegotiationStep, Record};
use leyden_bolt::transaction::Side;
use leyden_bolt::{ChannelId, ShortChannelId};
use open::{Multifunds, Uncommitted};
use reconnect::Backoff;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

/// An HTLC of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HtlcKey {
    /// The channel, by its number in the database.
    pub(crate) dbid: u64,
    /// The HTLC's number among those that `owner` offered.
    pub(crate) id: u64,
    pub(crate) owner: Side,
}

/// Why an HTLC is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HtlcOrigin {
    /// A payment of this node, or a part of one.
    Payment { payment_hash: sha256::Hash, partid: u64, groupid: u64 },
    /// An incoming HTLC, which is passed on.
    Forward(HtlcKey),
}

/// What a side asks for forwarding over a channel, and which HTLCs it takes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) fee_base_msat: u32,
    pub(crate) fee_proportional_millionths: u32,
    pub(crate) htlc_minimum_msat: u64,
    pub(crate) htlc_maximum_msat: u64,
}

/// What a side asked before it asked for more. Who does not know yet may still go by that for a while (BOLT 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OlderPolicy {
    pub(crate) policy: Policy,
    pub(crate) until: SystemTime,
}

/// The same of the peer, as its `channel_update` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerPolicy {
    pub(crate) policy: Policy,
    pub(crate) cltv_expiry_delta: u16,
}

/// Payments in one direction, from the beginning of the channel on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stats {
    pub(crate) payments_offered: u64,
    pub(crate) payments_fulfilled: u64,
    pub(crate) offered_msat: u64,
    pub(crate) fulfilled_msat: u64,
}

/// A channel whose first commitments are signed: it has a row in the database (`struct channel`).
#[derive(Debug)]
pub(crate) struct LocalChannel {
    /// `channels.id`.
    pub(crate) dbid: u64,
    pub(crate) peer: PublicKey,
    pub(crate) state: ChannelState,
    pub(crate) bolt: Channel,
    /// Where its funding is in a block.
    pub(crate) scid: Option<ShortChannelId>,
    /// What the peer may call it.
    pub(crate) alias_local: ShortChannelId,
    /// What we may call it.
    pub(crate) alias_remote: Option<ShortChannelId>,
    /// Whether it will be announced.
    pub(crate) announce: bool,
    /// How deep its funding has to be for us.
    pub(crate) minimum_depth: u32,
    /// How deep it was when that was last heard of; 0 if it is in no block.
    pub(crate) depth: u32,
    /// What the opener gave away, in msat.
    pub(crate) push_msat: u64,
    pub(crate) policy: Policy,
    pub(crate) older_policy: Option<OlderPolicy>,
    pub(crate) peer_policy: Option<PeerPolicy>,
    /// The key of the wallet that [`Self::close_to`] pays to.
    pub(crate) final_key_index: u32,
    /// Where our money goes when the channel is closed by agreement, or by a penalty.
    pub(crate) close_to: ScriptBuf,
    /// Who began to close it.
    pub(crate) closer: Option<Side>,
    /// The last cause that was known.
    pub(crate) cause: Cause,
    pub(crate) changes: Vec<StateChange>,
    pub(crate) in_stats: Stats,
    pub(crate) out_stats: Stats,
    /// The least and the most that we have had, in msat.
    pub(crate) our_msat_range: (u64, u64),
    /// The height at which it was opened: nothing about it is in earlier blocks.
    pub(crate) first_block: u32,
    /// The height at which the first closing transaction was sent; 0 if none was.
    pub(crate) close_attempt_height: u32,
    /// When its connection had last been there for a while, in seconds since 1970; 0 for never.
    pub(crate) last_stable_connection: u64,
    /// What `fundchannel_complete` was given.
    pub(crate) funding_psbt: Option<Vec<u8>>,
    /// Whether whoever opened it keeps the funding transaction back.
    pub(crate) withheld: bool,
    pub(crate) ignore_fee_limits: bool,
    /// The closing transaction that both sides signed, the best so far.
    pub(crate) mutual_close: Option<Transaction>,
    /// What `close` said about fees, for the next negotiation.
    pub(crate) close_fees: CloseFees,
    /// The connection over which the two sides speak about it.
    pub(crate) connection: Option<ConnectionId>,
    /// Whether both have said where they left off.
    pub(crate) reestablished: bool,
    pub(crate) billboard: Billboard,
    /// What the peer is told of a channel that has failed.
    pub(crate) error: Option<String>,
    /// We know less than the peer does: our commitment must not be used.
    pub(crate) lost_state: bool,
    /// Why those HTLCs of ours were offered that are there.
    pub(crate) origins: BTreeMap<u64, HtlcOrigin>,
    /// What is in the database.
    stored: Option<Record>,
    stored_columns: BTreeMap<&'static str, rusqlite::types::Value>,
    /// Its numbers in `channel_configs`, ours first, and in `shachains`.
    config_ids: [i64; 2],
    shachain_id: i64,
}

/// What a `close` asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CloseFees {
    /// The least and the most, in sat per kw.
    pub(crate) range: Option<(u32, u32)>,
    pub(crate) step: NegotiationStep,
}

impl LocalChannel {
    /// Its name between the two nodes.
    pub(crate) fn channel_id(&self) -> ChannelId {
        self.bolt.channel_id()
    }

    /// The name by which its peer can be told to use it.
    pub(crate) fn scid_or_alias(&self) -> ShortChannelId {
        self.scid.unwrap_or(self.alias_local)
    }

    pub(crate) fn opener(&self) -> Side {
        self.bolt.terms().opener
    }

    pub(crate) fn funding(&self) -> OutPoint {
        self.bolt.terms().funding
    }

    /// The transaction that funds it, with the signatures that are known, if we opened it.
    fn stored_funding_psbt(&self) -> Option<Psbt> {
        Psbt::deserialize(self.funding_psbt.as_ref()?).ok()
    }

    /// Whether both sides speak about it now.
    pub(crate) fn is_live(&self) -> bool {
        self.connection.is_some() && self.reestablished
    }

    /// The daemon of lightningd that would have it now.
    pub(crate) fn owner(&self) -> Option<&'static str> {
        match self.state {
            ChannelState::FundingSpendSeen | ChannelState::Onchain => Some("onchaind"),
            ChannelState::Sigexchange => self.connection.map(|_| "closingd"),
            _ => self.connection.map(|_| "channeld"),
        }
    }

    /// Whose log it is.
    pub(crate) fn log_source(&self) -> String {
        format!("{}-chan#{}", self.peer, self.dbid)
    }

    /// The same, of a daemon.
    pub(crate) fn daemon_source(&self, daemon: &str) -> String {
        format!("{}-{daemon}-chan#{}", self.peer, self.dbid)
    }
}

/// All channels, and what is becoming one.
#[derive(Default)]
pub(crate) struct Channels {
    by_dbid: BTreeMap<u64, LocalChannel>,
    /// Those that something was done to in this input.
    touched: BTreeSet<u64>,
    /// The highest number that was given out.
    last_dbid: u64,
    /// One for each peer at most.
    uncommitted: BTreeMap<PublicKey, Uncommitted>,
    multifunds: Multifunds,
    closes: Vec<CloseCommand>,
    next_close: u64,
    backoffs: BTreeMap<PublicKey, Backoff>,
}

impl Channels {
    pub(crate) fn get(&self, dbid: u64) -> Option<&LocalChannel> {
        self.by_dbid.get(&dbid)
    }

    /// To do something to it: at the end of the input it commits and is stored.
    pub(crate) fn get_mut(&mut self, dbid: u64) -> Option<&mut LocalChannel> {
        let channel = self.by_dbid.get_mut(&dbid)?;
        self.touched.insert(dbid);
        Some(channel)
    }

    /// In the order in which they were opened.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &LocalChannel> {
        self.by_dbid.values()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut LocalChannel> {
        self.by_dbid.values_mut()
    }

    /// By where it was funded, or by our alias.
    pub(crate) fn by_scid(&self, scid: ShortChannelId) -> Option<&LocalChannel> {
        self.iter().find(|channel| [channel.scid, Some(channel.alias_local)].contains(&Some(scid)))
    }

    /// By the name that an onion may use: where it was funded is not for others to know if its type has `option_scid_alias` (BOLT 2).
    pub(crate) fn by_scid_in_onion(&self, scid: ShortChannelId) -> Option<&LocalChannel> {
        let is_hidden = |channel: &LocalChannel| channel.bolt.terms().channel_type.scid_alias;
        self.by_scid(scid).filter(|channel| channel.alias_local == scid || !is_hidden(channel))
    }

    pub(crate) fn by_channel_id(&self, id: ChannelId) -> Option<&LocalChannel> {
        self.iter().find(|channel| channel.channel_id() == id)
    }

    pub(crate) fn of_peer(&self, peer: &PublicKey) -> impl Iterator<Item = &LocalChannel> {
        let peer = *peer;
        self.iter().filter(move |channel| channel.peer == peer)
    }

    /// The numbers of those with a peer.
    fn dbids_of(&self, peer: &PublicKey) -> Vec<u64> {
        self.of_peer(peer).map(|channel| channel.dbid).collect()
    }

    /// A number for a channel that is going to be.
    fn next_dbid(&mut self) -> u64 {
        self.last_dbid += 1;
        self.last_dbid
    }
}

/// The time at which something happened, in nanoseconds since 1970, as the database has it.
fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
