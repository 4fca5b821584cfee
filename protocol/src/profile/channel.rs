//! What releases differ in about channels.

use super::Profile;
use serde_json::{Map, Value, json};

/// What a peer proposes in `open_channel`, as the hook `openchannel` shows it.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The peer, in hex.
    pub id: String,
    /// Capacity.
    pub funding_sat: u64,
    /// What we get of it at once.
    pub push_msat: u64,
    /// As in `open_channel`.
    pub dust_limit_sat: u64,
    /// As in `open_channel`.
    pub max_htlc_value_in_flight_msat: u64,
    /// What we have to keep.
    pub channel_reserve_sat: u64,
    /// As in `open_channel`.
    pub htlc_minimum_msat: u64,
    /// As in `open_channel`.
    pub feerate_per_kw: u32,
    /// As in `open_channel`.
    pub to_self_delay: u16,
    /// As in `open_channel`.
    pub max_accepted_htlcs: u16,
    /// As in `open_channel`.
    pub channel_flags: u8,
    /// Where the peer will close to, in hex, if it says so.
    pub shutdown_scriptpubkey: Option<String>,
    /// Bits and their names.
    pub channel_type: Value,
}

impl Profile {
    /// Whether a channel that is new is told of in `channel_state_changed`.
    #[must_use]
    pub const fn notifies_of_new_channel(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether a channel that is forgotten is told of there, as `CLOSED`.
    #[must_use]
    pub const fn notifies_of_forgotten_channel(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// `old_state` of a channel that is new; `None` if it is left out.
    #[must_use]
    pub const fn name_of_no_channel_state(self) -> Option<&'static str> {
        match self {
            Self::V26_06 => None,
            _ => Some("unknown"),
        }
    }

    /// Whether members that have no value are there as `null` in `channel_state_changed`.
    #[must_use]
    pub const fn shows_nulls(self, deprecated_ok: bool) -> bool {
        match self {
            Self::V26_06 => deprecated_ok,
            _ => true,
        }
    }

    /// The members of `channel_opened`.
    #[must_use]
    pub fn channel_opened(
        self,
        id: &str,
        funding_sat: u64,
        funding_txid: &str,
        ready: bool,
        deprecated_ok: bool,
    ) -> Value {
        let amount = self.amount(funding_sat * 1000, deprecated_ok);
        let mut fields = Map::new();
        let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        add("id", id.into());
        match self {
            Self::Manual => add("funding_satoshis", amount),
            Self::V0_10 => add("amount", amount),
            Self::V23_02 => {
                if deprecated_ok {
                    add("amount", format!("{funding_sat}sat").into());
                }
                add("funding_msat", amount);
            }
            Self::V26_06 => add("funding_msat", amount),
        }
        add("funding_txid", funding_txid.into());
        match self {
            Self::Manual => add("funding_locked", ready.into()),
            // It was so from the beginning, when plugins were told later.
            Self::V0_10 => add("funding_locked", true.into()),
            Self::V23_02 => {
                if deprecated_ok {
                    add("funding_locked", ready.into());
                }
                add("channel_ready", ready.into());
            }
            Self::V26_06 => add("channel_ready", ready.into()),
        }
        fields.into()
    }

    /// The payload of the hook `openchannel`.
    #[must_use]
    pub fn openchannel(self, proposal: &Proposal, deprecated_ok: bool) -> Value {
        let mut fields = Map::new();
        let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        let msat = |msat| self.amount(msat, deprecated_ok);
        let sats = |name: &str, sat: u64, add: &mut dyn FnMut(&str, Value)| {
            let (old, new) = (format!("{name}_satoshis"), format!("{name}_msat"));
            match self {
                Self::Manual | Self::V0_10 => add(&old, msat(sat * 1000)),
                Self::V23_02 if deprecated_ok => {
                    add(&old, format!("{sat}sat").into());
                    add(&new, msat(sat * 1000));
                }
                Self::V23_02 | Self::V26_06 => add(&new, msat(sat * 1000)),
            }
        };
        add("id", proposal.id.as_str().into());
        sats("funding", proposal.funding_sat, &mut add);
        add("push_msat", msat(proposal.push_msat));
        sats("dust_limit", proposal.dust_limit_sat, &mut add);
        add("max_htlc_value_in_flight_msat", msat(proposal.max_htlc_value_in_flight_msat));
        sats("channel_reserve", proposal.channel_reserve_sat, &mut add);
        add("htlc_minimum_msat", msat(proposal.htlc_minimum_msat));
        add("feerate_per_kw", proposal.feerate_per_kw.into());
        add("to_self_delay", proposal.to_self_delay.into());
        add("max_accepted_htlcs", proposal.max_accepted_htlcs.into());
        add("channel_flags", proposal.channel_flags.into());
        if let Some(script) = &proposal.shutdown_scriptpubkey {
            add("shutdown_scriptpubkey", script.as_str().into());
        }
        if self == Self::V26_06 {
            add("channel_type", proposal.channel_type.clone());
        }
        json!({ "openchannel": fields })
    }

    /// Whether an answer to `openchannel` may set the depth of the funding and the reserve.
    #[must_use]
    pub const fn openchannel_sets_depth_and_reserve(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether `commitment_revocation` tells which channel and which commitment.
    #[must_use]
    pub const fn revocation_names_channel(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether an answer to `commitment_revocation` that is not `continue` ends the chain.
    #[must_use]
    pub const fn revocation_must_continue(self) -> bool {
        matches!(self, Self::Manual)
    }

    /// Whether the answer to `close` lists every transaction; older releases have one.
    #[must_use]
    pub const fn close_lists_txs(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether plugins are asked about the HTLCs that a `revoke_and_ack` has settled before they hear of the commitment
    /// that it has revoked.
    #[must_use]
    pub const fn asks_of_revocations_last(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// What the opener of a channel adds to the fee rate of commitments when it changes it, in sat per kw
    /// (`--commit-feerate-offset`).
    #[must_use]
    pub const fn commit_feerate_offset(self) -> u32 {
        match self {
            Self::V26_06 => 5,
            _ => 0,
        }
    }

    /// Whether lightningd warns in full of what becomes of channels: which transaction spent one, for what reason one fails,
    /// that a commitment is not needed any more, that an HTLC is to go through a channel that is not there.
    #[must_use]
    pub const fn warns_of_channels_in_full(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether `listpeers` shows the channels with each peer; newer releases have `listpeerchannels` for them.
    #[must_use]
    pub const fn lists_channels_with_peers(self) -> bool {
        !matches!(self, Self::V26_06)
    }
}
