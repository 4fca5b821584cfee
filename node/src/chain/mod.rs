//! The chain, as lightningd sees it: only through the five methods of a Bitcoin backend.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`backend`] | the built-in backend: bitcoind over JSON-RPC | `plugins/bcli.c` |
//! | [`topology`] | which blocks are known, and what follows from a new one | `chaintopology.c` |

pub(crate) mod backend;
pub(crate) mod topology;
