//! The hook `commitment_revocation`: plugins get the transaction that punishes the use of a commitment which the peer
//! has just revoked (`lightningd/peer_htlcs.c:peer_got_revoke`).

use crate::chain::feerates::Purpose;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use bitcoin::consensus::encode::serialize_hex;
use leyden_bolt::transaction::PenaltyBase;
use leyden_protocol::json;
use serde_json::{Map, Value};

/// A commitment that is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revocation {
    dbid: u64,
    commitment_number: u64,
}

impl State {
    /// The peer has revoked a commitment.
    pub(super) fn commitment_revoked(
        &mut self,
        dbid: u64,
        commitment_number: u64,
        base: Option<PenaltyBase>,
    ) {
        let feerate = self.feerate(Purpose::Penalty).unwrap_or_else(|| self.feerate_floor());
        let Some(channel) = self.channels.get(dbid) else { return };
        // Without it the peer had too little in that commitment to be worth a transaction.
        let Some(base) = base.filter(|base| !base.is_dust(channel.bolt.terms())) else { return };
        let revocation = Revocation { dbid, commitment_number };
        if !self.has_hook("commitment_revocation") {
            // To make the transaction takes longer than to make the next commitment.
            return self.commitment_revocation_final(revocation);
        }
        let Some(penalty) = channel.bolt.penalty(&base, feerate, &channel.close_to) else { return };
        let mut payload = Map::new();
        let mut add = |name: &str, value: Value| drop(payload.insert(name.to_owned(), value));
        add("commitment_txid", base.txid.to_string().into());
        add("penalty_tx", serialize_hex(&penalty).into());
        if self.profile.revocation_names_channel() {
            add("channel_id", channel.channel_id().to_string().into());
            add("commitnum", commitment_number.into());
        }
        let subject = Subject::CommitmentRevocation(revocation);
        let payload = Value::from(payload).to_string();
        self.call_hook("commitment_revocation", FilterKey::None, payload, None, subject);
    }

    /// A plugin's answer: it counts for nothing, but in the manual.
    pub(crate) fn commitment_revocation_answer(&self, result: &str) -> Verdict {
        let continues = json::member(result, "result") == Some(r#""continue""#);
        if continues || !self.profile.revocation_must_continue() { Verdict::Next } else { Verdict::Settled }
    }

    /// Every plugin has the transaction: nothing of that commitment is needed any more.
    pub(crate) fn commitment_revocation_final(&mut self, revocation: Revocation) {
        let Revocation { dbid, commitment_number } = revocation;
        let delete = "DELETE FROM penalty_bases WHERE channel_id=? AND commitnum=?";
        self.db().exec(delete, &[&dbid, &commitment_number]);
    }
}
