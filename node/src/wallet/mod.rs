//! The on-chain wallet: all that it owns is in CLN's tables, as CLN writes it.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`address`] | addresses and the scripts behind them, `newaddr` | `wallet/walletrpc.c` |
//! | [`output`] | outputs as they are stored, and what their states are | `wallet/wallet.c` |
//! | [`scan`] | outputs found and spent by the transactions of blocks | `wallet/wallet.c` |
//! | [`reservation`] | outputs kept for somebody, `reserveinputs`, `unreserveinputs` | `wallet/reservation.c` |
//! | [`select`], [`weight`] | which outputs pay for something | `wallet/reservation.c`, `bitcoin/tx.c` |
//! | [`fund`] | transactions that the wallet pays for | `plugins/txprepare.c` |
//! | [`psbt`], [`sign`] | PSBTs, signatures, `signpsbt` | `wallet/walletrpc.c`, `hsmd` |
//! | [`send`] | transactions that clients send, `sendpsbt` | `wallet/walletrpc.c` |

pub(crate) mod address;
pub(crate) mod fund;
pub(crate) mod output;
pub(crate) mod psbt;
pub(crate) mod reservation;
mod scan;
mod select;
pub(crate) mod send;
pub(crate) mod sign;
mod weight;
