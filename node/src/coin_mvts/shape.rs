//! `coin_movement` as each release tells it, and the entries of `listchainmoves` and `listchannelmoves`.

use super::movement::{Account, COIN_TYPE, ChainMove, ChannelMove, Movement, Tag};
use super::store::Stored;
use crate::state::State;
use leyden_protocol::CoinMovementForm;
use serde_json::{Map, Value, json};

type Fields = Map<String, Value>;

fn add(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    fields.insert(name.to_owned(), value.into());
}

fn add_some<T: ToString>(fields: &mut Fields, name: &str, value: Option<T>) {
    if let Some(value) = value {
        add(fields, name, value.to_string());
    }
}

fn names(tags: &[Tag]) -> Value {
    tags.iter().map(|tag| tag.name()).collect()
}

impl Movement {
    fn kind(&self) -> &'static str {
        match self {
            Self::Chain(_) => "chain_mvt",
            Self::Channel(_) => "channel_mvt",
        }
    }
}

impl State {
    /// The notification, or `None` where the release says nothing.
    pub(super) fn movement_fields(
        &mut self,
        movement: &Movement,
        index: i64,
        timestamp: u64,
    ) -> Option<Value> {
        let fields = match self.profile.coin_movement_form() {
            CoinMovementForm::Outpoint => self.outpoint_form(movement, index, timestamp),
            CoinMovementForm::Tags => self.tags_form(movement, timestamp),
            CoinMovementForm::Tag => self.tag_form(movement, timestamp)?,
        };
        Some(fields.into())
    }

    /// Since v25.09.
    fn outpoint_form(&self, movement: &Movement, index: i64, timestamp: u64) -> Fields {
        let mut fields = Fields::new();
        add(&mut fields, "version", 2);
        add(&mut fields, "coin_type", COIN_TYPE);
        add(&mut fields, "node_id", self.node_id.to_string());
        add(&mut fields, "type", movement.kind());
        let old_too = self.config.allow_deprecated_apis;
        match movement {
            Movement::Chain(chain) => self.chain_entry(&mut fields, chain, index, timestamp, old_too),
            Movement::Channel(channel) => {
                self.channel_entry(&mut fields, channel, index, timestamp, old_too, true);
            }
        }
        fields
    }

    fn entry(
        &self,
        fields: &mut Fields,
        account: Account,
        (credit_msat, debit_msat): (u64, u64),
        index: i64,
        timestamp: u64,
    ) {
        add(fields, "created_index", index);
        add(fields, "account_id", account.name());
        add(fields, "credit_msat", self.amount(credit_msat));
        add(fields, "debit_msat", self.amount(debit_msat));
        add(fields, "timestamp", timestamp);
    }

    fn chain_entry(&self, fields: &mut Fields, chain: &ChainMove, index: i64, timestamp: u64, old_too: bool) {
        self.entry(fields, chain.account, (chain.credit_msat, chain.debit_msat), index, timestamp);
        if old_too {
            add(fields, "tags", names(&[&[chain.tag], &chain.extra_tags[..]].concat()));
        }
        add(fields, "primary_tag", chain.tag.name());
        add(fields, "extra_tags", names(&chain.extra_tags));
        add(fields, "utxo", chain.outpoint.to_string());
        add_some(fields, "peer_id", chain.peer);
        add_some(fields, "originating_account", chain.originating.map(Account::name));
        add_some(fields, "txid", chain.spending_txid.filter(|_| old_too));
        add_some(fields, "spending_txid", chain.spending_txid);
        if old_too {
            add(fields, "utxo_txid", chain.outpoint.txid.to_string());
            add(fields, "vout", chain.outpoint.vout);
        }
        add_some(fields, "payment_hash", chain.payment_hash);
        add(fields, "output_msat", self.amount(chain.output_sat * 1000));
        if let Some(count) = chain.output_count {
            add(fields, "output_count", count);
        }
        add(fields, "blockheight", chain.height);
    }

    fn channel_entry(
        &self,
        fields: &mut Fields,
        channel: &ChannelMove,
        index: i64,
        timestamp: u64,
        old_too: bool,
        extra_tags: bool,
    ) {
        self.entry(fields, channel.account, (channel.credit_msat, channel.debit_msat), index, timestamp);
        if old_too {
            add(fields, "tags", names(&[channel.tag]));
        }
        add(fields, "primary_tag", channel.tag.name());
        if extra_tags {
            add(fields, "extra_tags", json!([]));
        }
        add_some(fields, "payment_hash", channel.payment_hash);
        if let Some((part, group)) = channel.part {
            add(fields, "part_id", part);
            add(fields, "group_id", group);
        }
        add(fields, "fees_msat", self.amount(channel.fees_msat));
    }

    /// An entry of a list.
    pub(super) fn listed(&self, stored: &Stored) -> Value {
        let mut fields = Fields::new();
        let Stored { index, timestamp, movement } = stored;
        match movement {
            Movement::Chain(chain) => self.chain_entry(&mut fields, chain, *index, *timestamp, false),
            Movement::Channel(channel) => {
                self.channel_entry(&mut fields, channel, *index, *timestamp, false, false);
            }
        }
        fields.into()
    }

    /// From v0.12 to v25.05.
    fn tags_form(&self, movement: &Movement, timestamp: u64) -> Fields {
        let mut fields = Fields::new();
        add(&mut fields, "version", 2);
        add(&mut fields, "node_id", self.node_id.to_string());
        if let Movement::Chain(chain) = movement {
            add_some(&mut fields, "peer_id", chain.peer);
        }
        add(&mut fields, "type", movement.kind());
        match movement {
            Movement::Chain(chain) => {
                add(&mut fields, "account_id", chain.account.name());
                add_some(&mut fields, "originating_account", chain.originating.map(Account::name));
                add_some(&mut fields, "txid", chain.spending_txid);
                add(&mut fields, "utxo_txid", chain.outpoint.txid.to_string());
                add(&mut fields, "vout", chain.outpoint.vout);
                add_some(&mut fields, "payment_hash", chain.payment_hash);
                add(&mut fields, "credit_msat", self.amount(chain.credit_msat));
                add(&mut fields, "debit_msat", self.amount(chain.debit_msat));
                add(&mut fields, "output_msat", self.amount(chain.output_sat * 1000));
                if let Some(count) = chain.output_count {
                    add(&mut fields, "output_count", count);
                }
                add(&mut fields, "tags", names(&[&[chain.tag], &chain.extra_tags[..]].concat()));
                add(&mut fields, "blockheight", chain.height);
            }
            Movement::Channel(channel) => {
                add(&mut fields, "account_id", channel.account.name());
                add_some(&mut fields, "payment_hash", channel.payment_hash);
                if let Some((part, _)) = channel.part {
                    add(&mut fields, "part_id", part);
                }
                add(&mut fields, "credit_msat", self.amount(channel.credit_msat));
                add(&mut fields, "debit_msat", self.amount(channel.debit_msat));
                add(&mut fields, "fees_msat", self.amount(channel.fees_msat));
                add(&mut fields, "tags", names(&[channel.tag]));
            }
        }
        add(&mut fields, "timestamp", timestamp);
        add(&mut fields, "coin_type", COIN_TYPE);
        fields
    }

    /// Before v0.12: one tag, and nothing about what others have, nor that ours is still to come.
    fn tag_form(&mut self, movement: &Movement, timestamp: u64) -> Option<Fields> {
        let (account, tag) = match movement {
            Movement::Chain(chain) => (chain.account, chain.tag),
            Movement::Channel(channel) => (channel.account, channel.tag),
        };
        if account == Account::External || tag == Tag::DelayedToUs {
            return None;
        }
        let mut middle = Fields::new();
        match movement {
            Movement::Chain(chain) => {
                // What is made has no spending transaction; it is told in its place what made it.
                add(&mut middle, "txid", chain.spending_txid.unwrap_or(chain.outpoint.txid).to_string());
                if chain.tag != Tag::ChainFees {
                    add(&mut middle, "utxo_txid", chain.outpoint.txid.to_string());
                    add(&mut middle, "vout", chain.outpoint.vout);
                }
                add_some(&mut middle, "payment_hash", chain.payment_hash);
            }
            Movement::Channel(channel) => {
                add_some(&mut middle, "payment_hash", channel.payment_hash);
                if let Some((part, _)) = channel.part {
                    add(&mut middle, "part_id", part);
                }
            }
        }
        let (credit, debit, tag, height) = match movement {
            Movement::Chain(chain) => (chain.credit_msat, chain.debit_msat, chain.tag, Some(chain.height)),
            Movement::Channel(channel) => (channel.credit_msat, channel.debit_msat, channel.tag, None),
        };
        let mut fields = Fields::new();
        add(&mut fields, "version", 1);
        add(&mut fields, "node_id", self.node_id.to_string());
        add(&mut fields, "movement_idx", self.db().add_to_index("coin_moves_count", 1));
        add(&mut fields, "type", movement.kind());
        add(&mut fields, "account_id", account.name());
        fields.append(&mut middle);
        add(&mut fields, "credit", format!("{credit}msat"));
        add(&mut fields, "debit", format!("{debit}msat"));
        add(&mut fields, "tag", tag.name());
        if let Some(height) = height {
            add(&mut fields, "blockheight", height);
        }
        add(&mut fields, "timestamp", timestamp);
        add(&mut fields, "coin_type", COIN_TYPE);
        Some(fields)
    }
}
