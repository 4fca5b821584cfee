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

mod apart;
pub(crate) mod case;
pub(crate) mod effect;
mod movement;
mod names;
mod spent;
pub(crate) mod tracked;
pub(crate) mod tracker;
