//! The chain, as lightningd sees it: only through the five methods of a Bitcoin backend.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`bitcoind`] | who serves which method; questions to them | `lightningd/bitcoind.c` |
//! | [`answer`] | what an answer must be, and the complaint if it is not | `lightningd/bitcoind.c` |
//! | [`backend`] | the built-in backend: bitcoind over JSON-RPC | `plugins/bcli.c` |
//! | [`topology`] | which blocks are known, and what follows from a new one | `lightningd/chaintopology.c` |
//! | [`block`] | what the transactions of a block mean to the node | `lightningd/chaintopology.c` |
//! | [`transactions`] | the transactions that the node remembers, `listtransactions` | `wallet/wallet.c` |
//! | [`watch`] | who wants to know of transactions and spends | `lightningd/watch.c` |
//! | [`broadcast`] | transactions on their way into a block | `lightningd/chaintopology.c` |
//! | [`sync`] | whether bitcoind and the node have caught up | `lightningd/chaintopology.c` |
//! | [`feerates`] | what the backend's estimates make of fees | `lightningd/chaintopology.c` |
//! | [`waitblockheight`] | the command | `lightningd/peer_control.c` |

pub(crate) mod answer;
pub(crate) mod backend;
pub(crate) mod bitcoind;
mod block;
pub(crate) mod broadcast;
pub(crate) mod feerates;
pub(crate) mod sync;
pub(crate) mod topology;
pub(crate) mod transactions;
pub(crate) mod waitblockheight;
pub(crate) mod watch;
