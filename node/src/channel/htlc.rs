//! HTLCs of channels, for those who offer and settle them (`lightningd/peer_htlcs.c`).

use super::channel_state::{Cause, ChannelState};
use super::{HtlcKey, HtlcOrigin};
use crate::event::LogLevel;
use crate::input::Timer;
use crate::output::Output;
use crate::state::State;
use leyden_bolt::channel::{AddHtlc, AddHtlcError, Htlc, HtlcState, Removal};
use leyden_bolt::transaction::Side;
use std::time::Duration;
use thiserror::Error;

/// How long a peer may take until an HTLC can be committed to.
const COMMIT_WITHIN: Duration = Duration::from_secs(30);

/// Why an HTLC cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum OfferError {
    /// There is no such channel, or its peer is away, or it is being closed (`WIRE_UNKNOWN_NEXT_PEER` of a forward).
    #[error("Channel not ready")]
    NotReady,
    /// The channel cannot carry it (`WIRE_TEMPORARY_CHANNEL_FAILURE` of a forward).
    #[error("{0}")]
    Refused(#[from] AddHtlcError),
}

impl State {
    /// Offers an HTLC over a channel, and gives its number there. It is written once the peer can be committed to it.
    ///
    /// # Errors
    /// If the channel takes none, or not this one.
    pub(crate) fn offer_htlc(
        &mut self,
        dbid: u64,
        add: AddHtlc,
        origin: HtlcOrigin,
    ) -> Result<u64, OfferError> {
        let channel = self.channels.get_mut(dbid).ok_or(OfferError::NotReady)?;
        if !channel.state.can_add_htlc() || !channel.is_live() {
            return Err(OfferError::NotReady);
        }
        let id = channel.bolt.add_htlc(add)?;
        channel.origins.insert(id, origin);
        if !self.config.channels.no_htlc_timeout {
            let key = HtlcKey { dbid, id, owner: Side::Local };
            self.out.push(Output::SetTimer(Timer::OfferedHtlc(key), COMMIT_WITHIN));
        }
        Ok(id)
    }

    /// An HTLC of ours is in a commitment: it outlives the connection.
    pub(super) fn offer_committed(&mut self, key: HtlcKey) {
        self.out.push(Output::CancelTimer(Timer::OfferedHtlc(key)));
    }

    /// The peer has not let us commit to an HTLC in time: without the connection it never was (`htlc_offer_timeout`).
    pub(crate) fn offered_htlc_timeout(&mut self, key: HtlcKey) {
        let Some(channel) = self.channels.get(key.dbid) else { return };
        let is_open = |htlc: &Htlc| htlc.state == HtlcState::SentAddHtlc;
        if !channel.bolt.htlc(key.owner, key.id).is_some_and(is_open) || !channel.state.can_add_htlc() {
            return;
        }
        let Some(connection) = channel.connection else { return };
        let (source, daemon) = (channel.log_source(), channel.daemon_source("channeld"));
        let transient =
            format!("Peer transient failure in {}: Adding HTLC timed out: killed connection", channel.state);
        let text = format!("Adding HTLC {} too slow: killing connection", key.id);
        self.log(LogLevel::Unusual, &daemon, &text);
        self.log(LogLevel::Info, &source, &transient);
        self.out.push(Output::ClosePeer(connection));
        self.forget_peer(connection);
    }

    /// Ends an incoming HTLC that is committed for good. Without a connection the peer hears of it with the next one;
    /// of one that is on the chain, its preimage is for whoever follows the chain. In any case it is noted: after a restart
    /// nobody is asked about it again.
    pub(crate) fn settle_htlc(&mut self, dbid: u64, id: u64, removal: Removal) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let preimage = match &removal {
            Removal::Fulfill(preimage) => Some(*preimage),
            _ => None,
        };
        let msat = channel.bolt.htlc(Side::Remote, id).map_or(0, |htlc| htlc.amount_msat);
        if let Err(error) = channel.bolt.remove_htlc(id, removal) {
            let text = format!("HTLC {id} cannot be settled: {error}");
            return self.fail_channel(dbid, Cause::Local, &text, Some(&text));
        }
        let Some(preimage) = preimage else { return };
        channel.in_stats.payments_fulfilled += 1;
        channel.in_stats.fulfilled_msat += msat;
        if channel.state >= ChannelState::FundingSpendSeen {
            // Who follows the chain reads rows.
            self.store_channel(dbid);
            self.onchain_preimage(dbid, id, preimage);
        }
    }

    /// The peer has taken one of ours.
    pub(crate) fn count_fulfilled_out(&mut self, dbid: u64, id: u64) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let Some(msat) = channel.bolt.htlc(Side::Local, id).map(|htlc| htlc.amount_msat) else { return };
        channel.out_stats.payments_fulfilled += 1;
        channel.out_stats.fulfilled_msat += msat;
    }

    /// Why an HTLC of ours was offered; `None` if there is none.
    pub(crate) fn htlc_origin(&self, dbid: u64, id: u64) -> Option<HtlcOrigin> {
        self.channels.get(dbid)?.origins.get(&id).copied()
    }

    /// Incoming HTLCs that are committed for good and wait for what becomes of them: after a start, plugins are asked again.
    pub(crate) fn unsettled_htlcs(&self) -> Vec<HtlcKey> {
        let of_channel = |channel: &super::LocalChannel| {
            let dbid = channel.dbid;
            let waiting = channel.bolt.htlcs().filter(|htlc| htlc.state == HtlcState::RcvdAddAckRevocation);
            waiting.map(move |htlc| HtlcKey { dbid, id: htlc.id, owner: Side::Remote }).collect::<Vec<_>>()
        };
        self.channels.iter().flat_map(of_channel).collect()
    }
}
