//! Channels.
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`channel_state`] | how far a channel is, and why | `channel_state.h` |

pub(crate) mod channel_state;
