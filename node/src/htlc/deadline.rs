//! Deadlines: an HTLC that is late fails its channel, or it would be lost (BOLT 2, "`cltv_expiry_delta` Selection";
//! `lightningd/peer_htlcs.c:htlcs_notify_new_block`).

use super::failure::bare;
use crate::channel::channel_state::Cause;
use crate::channel::{HtlcKey, HtlcOrigin, LocalChannel};
use crate::event::LogLevel;
use crate::state::State;
use leyden_bolt::channel::{Htlc, Removal};
use leyden_bolt::onion::FailureCode;
use leyden_bolt::transaction::Side;

/// How many blocks before the end of an incoming HTLC it is failed, though the one that it was handed on as is still on the chain.
const ABANDON_BLOCKS: u32 = 3;

/// An HTLC that may be late.
struct Late {
    key: HtlcKey,
    state: &'static str,
    cltv_expiry: u32,
}

impl State {
    /// A block has come: channels with HTLCs that are late are failed.
    pub(crate) fn check_htlc_deadlines(&mut self, height: u32) {
        for late in self.late_htlcs(|htlc| htlc.owner == Side::Local && height > htlc.cltv_expiry) {
            let can_add =
                self.channels.get(late.key.dbid).is_some_and(|channel| channel.state.can_add_htlc());
            if can_add {
                self.fail_late_channel("Offered", &late);
            } else {
                self.consider_failing_incoming(late.key, height);
            }
        }
        // Half of what is asked for, rounded up, is left to get the preimage into the chain.
        let half = u32::from(self.config.channels.cltv_delta).div_ceil(2);
        let late = |htlc: &Htlc| {
            htlc.owner == Side::Remote
                && matches!(htlc.removal, Some(Removal::Fulfill(_)))
                && height + half >= htlc.cltv_expiry
        };
        for late in self.late_htlcs(late) {
            self.fail_late_channel("Fulfilled", &late);
        }
    }

    /// Fails a channel, unless that has been done or it is on the chain already.
    fn fail_late_channel(&mut self, what: &str, late: &Late) {
        let Late { key, state, cltv_expiry } = late;
        let usable = |channel: &LocalChannel| channel.state.can_remove_htlc() && channel.error.is_none();
        if self.channels.get(key.dbid).is_some_and(usable) {
            let why = format!("{what} HTLC {} {state} cltv {cltv_expiry} hit deadline", key.id);
            self.fail_channel(key.dbid, Cause::Protocol, &why, Some(&why));
        }
    }

    fn late_htlcs(&self, is_late: impl Fn(&Htlc) -> bool) -> Vec<Late> {
        let late = self.channels.iter().flat_map(|channel| {
            let late = channel.bolt.htlcs().filter(|htlc| is_late(htlc));
            late.map(|htlc| Late {
                key: HtlcKey { dbid: channel.dbid, id: htlc.id, owner: htlc.owner },
                state: htlc.state.name(),
                cltv_expiry: htlc.cltv_expiry,
            })
        });
        late.collect()
    }

    /// The outgoing HTLC is late on the chain: before the previous node loses patience and closes its channel too, the incoming
    /// one is failed.
    fn consider_failing_incoming(&mut self, outgoing: HtlcKey, height: u32) {
        let Some(HtlcOrigin::Forward(incoming)) = self.htlc_origin(outgoing.dbid, outgoing.id) else {
            return;
        };
        let resolved = self.htlc(outgoing).is_none_or(|htlc| htlc.removal.is_some());
        let Some(ends) = self.htlc(incoming).filter(|htlc| htlc.removal.is_none()) else { return };
        let ends = ends.cltv_expiry;
        let channel = self.channels.get(incoming.dbid);
        let removable = channel.is_some_and(|channel| channel.state.can_remove_htlc());
        if resolved || !removable || height + ABANDON_BLOCKS < ends {
            return;
        }
        let expired = self.htlc(outgoing).map_or(0, |htlc| htlc.cltv_expiry);
        let text = format!(
            "Abandoning unresolved onchain HTLC at block {height} (expired at {expired}) to avoid peer closing \
             incoming HTLC at block {ends}"
        );
        self.log_channel(outgoing.dbid, LogLevel::Unusual, &text);
        self.fail_htlc(incoming, &bare(FailureCode::PERMANENT_CHANNEL_FAILURE));
    }
}
