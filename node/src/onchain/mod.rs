//! Channels whose funding output is spent (`onchaind/onchaind.c`, `lightningd/onchain_control.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`case`] | what is known of the channel, and which way it ended |
//! | [`tracker`], [`tracked`] | the outputs that come of it, from the first block to the last |
//! | [`apart`] | what each output of the closing transaction is, and what is to be done about it |
//! | [`spent`] | what it means that somebody spends one |
//! | [`movement`] | what plugins are told of the coins |
//! | [`effect`] | what the node is asked to do |
//! | [`follow`] | the node's side: beginning, blocks, reorganisations, restarts |
//! | [`rows`] | what of it is in the database |
//! | [`claim`], [`second_stage`] | transactions that are due: their fee, their inputs |

mod apart;
pub(crate) mod case;
mod claim;
pub(crate) mod effect;
mod follow;
mod movement;
mod names;
mod rows;
mod second_stage;
mod spent;
#[cfg(test)]
mod stories;
pub(crate) mod tracked;
pub(crate) mod tracker;

use bitcoin::{OutPoint, Transaction};
use std::collections::BTreeMap;
use tracker::Tracker;

/// Channels that are closed on the chain.
#[derive(Default)]
pub(crate) struct ClosedChannels {
    /// By their number in the database.
    trackers: BTreeMap<u64, Tracker>,
    /// What the block that is being looked at has for them. lightningd's onchaind hears of it when lightningd is through
    /// with the block.
    news: Vec<(u64, News)>,
}

/// What a block has for a closed channel.
enum News {
    /// This transaction closed it.
    Closed { tx: Transaction, height: u32 },
    /// Input `input` of a transaction spends an output that may come of it.
    Spent { outpoint: OutPoint, tx: Transaction, input: usize, height: u32 },
}

impl ClosedChannels {
    fn get(&self, dbid: &u64) -> Option<&Tracker> {
        self.trackers.get(dbid)
    }

    fn get_mut(&mut self, dbid: &u64) -> Option<&mut Tracker> {
        self.trackers.get_mut(dbid)
    }
}
