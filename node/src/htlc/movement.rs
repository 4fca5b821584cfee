//! What HTLCs move: into a channel, out of it, or through the node from one to another (`lightningd/coin_mvts.c`).

use crate::channel::{HtlcKey, LocalChannel};
use crate::coin_mvts::movement::{Account, ChannelMove, Movement, Tag};
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use leyden_bolt::transaction::Side;

/// What the database still knows of an HTLC that is gone.
struct Gone {
    row: i64,
    amount_msat: u64,
    payment_hash: sha256::Hash,
    /// The part and the group of a payment of our own.
    part: Option<(u64, u64)>,
    /// The row of the incoming HTLC.
    origin: Option<i64>,
}

impl State {
    /// What an HTLC is worth, whether it is still there or not.
    pub(super) fn htlc_msat(&self, key: HtlcKey) -> Option<u64> {
        self.htlc(key).map(|htlc| htlc.amount_msat).or_else(|| self.gone(key).map(|gone| gone.amount_msat))
    }

    fn gone(&self, key: HtlcKey) -> Option<Gone> {
        let query = "SELECT id, msatoshi, payment_hash, partid, groupid, origin_htlc FROM channel_htlcs \
                     WHERE channel_id = ? AND channel_htlc_id = ? AND direction = ?";
        let direction = match key.owner {
            Side::Remote => 0,
            Side::Local => 1,
        };
        let rows = self.stored().rows(query, &[&key.dbid, &key.id, &direction], |row| {
            let number =
                |column| row.get::<_, Option<i64>>(column).map(|stored| stored.map(i64::cast_unsigned));
            Ok(Gone {
                row: row.get(0)?,
                amount_msat: row.get::<_, i64>(1)?.cast_unsigned(),
                payment_hash: sha256::Hash::from_byte_array(row.get(2)?),
                part: number(3)?.zip(number(4)?),
                origin: row.get(5)?,
            })
        });
        rows.into_iter().next()
    }

    /// An incoming HTLC that was fulfilled is gone for good: its amount is ours.
    pub(crate) fn htlc_received(&mut self, dbid: u64, id: u64) {
        let Some(gone) = self.gone(HtlcKey { dbid, id, owner: Side::Remote }) else { return };
        let handed_on = self.stored().rows(
            "SELECT msatoshi FROM channel_htlcs WHERE origin_htlc = ?",
            &[&gone.row],
            |row| row.get::<_, i64>(0),
        );
        let sent_msat = handed_on.first().map(|msat| msat.cast_unsigned());
        let fees_msat = sent_msat.map_or(0, |sent| gone.amount_msat.saturating_sub(sent));
        let tag = if sent_msat.is_some() { Tag::Routed } else { Tag::Invoice };
        let Some(account) = self.account_of(dbid) else { return };
        self.coin_movement(&Movement::Channel(ChannelMove {
            account,
            tag,
            credit_msat: gone.amount_msat,
            debit_msat: 0,
            payment_hash: Some(gone.payment_hash),
            part: None,
            fees_msat,
        }));
    }

    /// An HTLC of ours that was fulfilled is gone for good.
    pub(super) fn htlc_sent(&mut self, key: HtlcKey) {
        let Some(gone) = self.gone(key) else { return };
        let (tag, fees_msat) = match gone.origin {
            Some(incoming) => {
                let came = self.stored().rows(
                    "SELECT msatoshi FROM channel_htlcs WHERE id = ?",
                    &[&incoming],
                    |row| row.get::<_, i64>(0),
                );
                (
                    Tag::Routed,
                    came.first().map_or(0, |came| came.cast_unsigned().saturating_sub(gone.amount_msat)),
                )
            }
            None => (Tag::Invoice, self.payment_fee_msat(&gone)),
        };
        let Some(account) = self.account_of(key.dbid) else { return };
        self.coin_movement(&Movement::Channel(ChannelMove {
            account,
            tag,
            credit_msat: 0,
            debit_msat: gone.amount_msat,
            payment_hash: Some(gone.payment_hash),
            part: gone.part,
            fees_msat,
        }));
    }

    /// What is sent more than arrives.
    fn payment_fee_msat(&self, gone: &Gone) -> u64 {
        let (partid, groupid) = gone.part.unwrap_or_default();
        let query = "SELECT msatoshi FROM payments WHERE payment_hash = ? AND partid = ? AND groupid = ?";
        let hash = gone.payment_hash.to_byte_array();
        let (partid, groupid) = (partid.cast_signed(), groupid.cast_signed());
        let arrives =
            self.stored().rows(query, &[&hash, &partid, &groupid], |row| row.get::<_, Option<i64>>(0));
        let arrives = arrives.into_iter().next().flatten().map(i64::cast_unsigned);
        arrives.map_or(0, |arrives| gone.amount_msat.saturating_sub(arrives))
    }

    fn account_of(&self, dbid: u64) -> Option<Account> {
        let id = self.channels.get(dbid).map(LocalChannel::channel_id)?;
        Some(Account::Channel { dbid, id })
    }
}
