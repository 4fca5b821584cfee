//! The on-chain wallet: all that it owns is in CLN's tables, as CLN writes it.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`address`] | addresses and the scripts behind them, `newaddr` | `wallet/walletrpc.c` |
//! | [`output`] | outputs as they are stored, and what their states are | `wallet/wallet.c` |
//! | [`scan`] | outputs found and spent by the transactions of blocks | `wallet/wallet.c` |
//! | [`reservation`] | outputs kept for somebody, `reserveinputs`, `unreserveinputs` | `wallet/reservation.c` |
//! | [`select`], [`weight`] | which outputs pay for something | `wallet/reservation.c`, `bitcoin/tx.c` |
//! | [`boost`] | outputs that raise the fee of what has inputs of its own | `wallet/wallet.c` |
//! | [`param`] | amounts, addresses and outpoints as clients write them | `common/json_param.c` |
//! | [`fund`] | transactions that the wallet pays for | `plugins/txprepare.c` |
//! | [`psbt`], [`psbt_version`], [`sign`] | PSBTs, `setpsbtversion`, signatures, `signpsbt` | `wallet/walletrpc.c`, `hsmd` |
//! | [`fundpsbt`], [`addpsbt`] | `fundpsbt`, `utxopsbt`, `addpsbtoutput`, `addpsbtinput` | `wallet/reservation.c` |
//! | [`withdraw`], [`txprepare`], [`prepare`] | `withdraw`, `txprepare`, `txsend`, `txdiscard` | `plugins/txprepare.c` |
//! | [`multiwithdraw`] | `multiwithdraw` | `plugins/spender/multiwithdraw.c` |
//! | [`listfunds`] | `listfunds` | `wallet/walletrpc.c` |
//! | [`send`] | transactions that clients send, `sendpsbt` | `wallet/walletrpc.c` |

pub(crate) mod addpsbt;
pub(crate) mod address;
pub(crate) mod boost;
pub(crate) mod fund;
pub(crate) mod fundpsbt;
pub(crate) mod listfunds;
pub(crate) mod multiwithdraw;
pub(crate) mod output;
pub(crate) mod param;
pub(crate) mod prepare;
pub(crate) mod psbt;
pub(crate) mod psbt_version;
pub(crate) mod reservation;
mod scan;
pub(crate) mod select;
pub(crate) mod send;
pub(crate) mod sign;
pub(crate) mod txprepare;
pub(crate) mod weight;
pub(crate) mod withdraw;
