//! The routes that an invoice shows, for payers who cannot find this node otherwise (`lightningd/routehint.c`,
//! `lightningd/invoice.c:add_routehints`).

use crate::channel::{LocalChannel, PeerPolicy};
use crate::state::State;
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::Channel;
use leyden_bolt::invoice::RouteHop;
use leyden_bolt::message::gossip::ChannelUpdate;

/// Which channels an invoice is to show: `exposeprivatechannels`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing was said: private ones if there are no others.
    IfNonePublic,
    /// Only public ones.
    Public,
    /// Private ones as well.
    All,
    /// These and no others.
    These(Vec<ShortChannelId>),
}

/// A channel over which this node can be paid.
#[derive(Debug, Clone)]
struct Candidate {
    hop: RouteHop,
    /// By its place in the chain, or by what the peer may call it.
    names: Vec<ShortChannelId>,
    receivable_msat: u64,
    /// What both sides can have of it at most.
    capacity_msat: u64,
    is_public: bool,
    is_connected: bool,
    /// The peer has no other channel through which anybody could reach it.
    is_dead_end: bool,
}

/// What an invoice shows, and what the client is warned of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    pub(super) routes: Vec<Vec<RouteHop>>,
    pub(super) warnings: Vec<(&'static str, &'static str)>,
}

/// The channels that could be shown, and what the others could have brought, in msat.
#[derive(Debug, Default)]
struct Sorted<'a> {
    shown: Vec<&'a Candidate>,
    available: u64,
    private: u64,
    dead_end: u64,
    offline: u64,
}

impl State {
    /// The routes for an invoice over `amount_msat`. `None` if particular channels were wanted and none of them will do.
    pub(super) fn route_hints(&mut self, wanted: &Wanted, amount_msat: Option<u64>) -> Option<Hints> {
        let candidates = self.incoming_channels();
        let chance = u64::from_be_bytes(*self.entropy.draw().first_chunk().expect("8 of 32 bytes"));
        choose(&candidates, wanted, amount_msat.unwrap_or(1), chance)
    }

    /// The channels over which this node can be paid: those of which the peer has said what it asks for.
    fn incoming_channels(&self) -> Vec<Candidate> {
        let usable = self.channels.iter().filter(|channel| channel.state.can_add_htlc());
        usable.filter_map(|channel| self.candidate(channel)).collect()
    }

    fn candidate(&self, channel: &LocalChannel) -> Option<Candidate> {
        let PeerPolicy { policy, cltv_expiry_delta } = channel.peer_policy?;
        let terms = channel.bolt.terms();
        let short_channel_id = if terms.channel_type.scid_alias {
            channel.alias_remote
        } else if channel.announce && channel.scid.is_some() {
            channel.scid
        } else {
            channel.alias_remote.or(channel.scid)
        };
        let reserves: u64 = terms.config.iter().map(|config| config.channel_reserve_satoshis).sum();
        Some(Candidate {
            hop: RouteHop {
                pubkey: channel.peer,
                short_channel_id: short_channel_id?,
                fee_base_msat: policy.fee_base_msat,
                fee_proportional_millionths: policy.fee_proportional_millionths,
                cltv_expiry_delta,
            },
            names: [channel.scid, channel.alias_remote, Some(channel.alias_local)]
                .into_iter()
                .flatten()
                .collect(),
            receivable_msat: channel.bolt.receivable_msat().min(policy.htlc_maximum_msat),
            capacity_msat: terms.capacity_sat.saturating_sub(reserves) * 1000,
            is_public: channel.announce,
            is_connected: channel.is_live(),
            is_dead_end: self.is_dead_end(channel),
        })
    }

    /// Whether nobody can reach the peer of a channel but through that.
    fn is_dead_end(&self, channel: &LocalChannel) -> bool {
        let own = self.channels.of_peer(&channel.peer);
        let other_own = own.filter(|other| other.dbid != channel.dbid && other.state.can_add_htlc()).count();
        let is_way_in = |other: &&Channel| {
            let inwards = 1 - other.direction_from(&channel.peer);
            let update = other.updates[usize::from(inwards)].as_ref();
            Some(other.short_channel_id()) != channel.scid && update.is_some_and(ChannelUpdate::is_enabled)
        };
        other_own == 0 && !self.gossip.graph.channels_of(&channel.peer).any(|other| is_way_in(&other))
    }
}

fn choose(candidates: &[Candidate], wanted: &Wanted, needed: u64, chance: u64) -> Option<Hints> {
    let sorted = sort(candidates, wanted);
    if sorted.shown.is_empty() && matches!(wanted, Wanted::These(channels) if !channels.is_empty()) {
        return None;
    }
    let unpublished = !candidates.iter().any(|candidate| candidate.is_public);
    let one = if unpublished { None } else { pick_one(&sorted.shown, needed, chance) };
    let chosen = one.map_or_else(|| pick_several(&sorted.shown, needed), |one| vec![one]);
    let mut warnings = Vec::new();
    if one.is_none() && chosen.len() > 1 {
        warnings.push(("warning_mpp", "The invoice is only payable by MPP-capable payers."));
    }
    warnings.extend(sorted.warnings(needed));
    Some(Hints { routes: chosen.into_iter().map(|candidate| vec![candidate.hop]).collect(), warnings })
}

fn sort<'a>(candidates: &'a [Candidate], wanted: &Wanted) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    let mut private = Vec::new();
    for candidate in candidates {
        let amount = candidate.receivable_msat;
        match wanted {
            Wanted::These(channels) if !channels.iter().any(|name| candidate.names.contains(name)) => {
                continue;
            }
            // Who names a channel gets it, dead end or not.
            Wanted::These(_) => {}
            _ if candidate.is_dead_end => {
                sorted.dead_end += amount;
                continue;
            }
            _ => {}
        }
        if !candidate.is_connected {
            sorted.offline += amount;
        } else if candidate.is_public || matches!(wanted, Wanted::All | Wanted::These(_)) {
            sorted.shown.push(candidate);
            sorted.available += amount;
        } else {
            private.push(candidate);
            sorted.private += amount;
        }
    }
    let unpublished = !candidates.iter().any(|candidate| candidate.is_public);
    if *wanted == Wanted::IfNonePublic && sorted.shown.is_empty() && unpublished {
        sorted.shown = private;
        sorted.available = std::mem::take(&mut sorted.private);
    }
    sorted
}

impl Sorted<'_> {
    /// What the client is warned of if the channels cannot bring `needed`.
    fn warnings(&self, needed: u64) -> Vec<(&'static str, &'static str)> {
        let mut warnings = Vec::new();
        let mut total = self.available + self.offline + self.dead_end + self.private;
        if needed >= total {
            warnings.push(("warning_capacity", "Insufficient incoming channel capacity to pay invoice"));
        }
        if needed <= self.available {
            return warnings;
        }
        // The first of them without which there would be enough.
        total = self.available;
        for (amount, name, text) in [
            (
                self.offline,
                "warning_offline",
                "Insufficient incoming capacity, once offline peers were excluded",
            ),
            (
                self.dead_end,
                "warning_deadends",
                "Insufficient incoming capacity, once dead-end peers were excluded",
            ),
            (
                self.private,
                "warning_private_unused",
                "Insufficient incoming capacity, once private channels were excluded (try exposeprivatechannels=true?)",
            ),
        ] {
            total += amount;
            if total >= needed {
                warnings.push((name, text));
                break;
            }
        }
        warnings
    }
}

/// One channel that can bring all of it: by chance, the more it has left the likelier.
fn pick_one<'a>(candidates: &[&'a Candidate], needed: u64, chance: u64) -> Option<&'a Candidate> {
    let weight = |candidate: &Candidate| {
        let excess = candidate.receivable_msat.checked_sub(needed)?;
        // Per million of what it has; never nothing, for it might be the only one.
        Some(excess.saturating_mul(1_000_000) / candidate.capacity_msat.max(1) + 1)
    };
    let weighted: Vec<(&Candidate, u64)> =
        candidates.iter().filter_map(|candidate| Some((*candidate, weight(candidate)?))).collect();
    let total: u64 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut left = chance.checked_rem(total)?;
    for (candidate, weight) in weighted {
        if left < weight {
            return Some(candidate);
        }
        left -= weight;
    }
    None
}

/// As many channels as it takes.
fn pick_several<'a>(candidates: &[&'a Candidate], needed: u64) -> Vec<&'a Candidate> {
    let mut gathered = 0;
    let mut chosen = Vec::new();
    for candidate in candidates {
        if gathered >= needed {
            break;
        }
        gathered += candidate.receivable_msat;
        chosen.push(*candidate);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(scid: u64, receivable_msat: u64) -> Candidate {
        let scid = ShortChannelId::from_u64(scid);
        let key = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";
        Candidate {
            hop: RouteHop {
                pubkey: key.parse().expect("a key"),
                short_channel_id: scid,
                fee_base_msat: 1,
                fee_proportional_millionths: 10,
                cltv_expiry_delta: 6,
            },
            names: vec![scid],
            receivable_msat,
            capacity_msat: 1_000_000,
            is_public: true,
            is_connected: true,
            is_dead_end: false,
        }
    }

    fn shown(candidates: &[Candidate], wanted: &Wanted, needed: u64) -> (Vec<u64>, Vec<&'static str>) {
        let hints = choose(candidates, wanted, needed, 0).expect("no particular channels were wanted");
        let channels = hints.routes.iter().map(|route| route[0].short_channel_id.to_u64()).collect();
        (channels, hints.warnings.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn without_channels_there_is_nothing_to_show() {
        assert_eq!(shown(&[], &Wanted::IfNonePublic, 1), (vec![], vec!["warning_capacity"]));
        assert_eq!(choose(&[], &Wanted::These(vec![ShortChannelId::from_u64(7)]), 1, 0), None);
    }

    #[test]
    fn a_public_channel_that_is_large_enough_will_do() {
        let channels = [candidate(1, 10), candidate(2, 1000)];
        assert_eq!(shown(&channels, &Wanted::IfNonePublic, 500), (vec![2], vec![]));
        assert_eq!(shown(&channels, &Wanted::IfNonePublic, 1005), (vec![1, 2], vec!["warning_mpp"]));
        let too_much = vec!["warning_mpp", "warning_capacity"];
        assert_eq!(shown(&channels, &Wanted::IfNonePublic, 5000), (vec![1, 2], too_much));
    }

    #[test]
    fn private_channels_are_shown_if_there_are_no_others_or_on_request() {
        let private = Candidate { is_public: false, ..candidate(3, 1000) };
        let alone = [private.clone()];
        assert_eq!(shown(&alone, &Wanted::IfNonePublic, 500), (vec![3], vec![]));
        assert_eq!(shown(&alone, &Wanted::Public, 500), (vec![], vec!["warning_private_unused"]));
        let both = [candidate(1, 10), private];
        let unused = (vec![1], vec!["warning_private_unused"]);
        assert_eq!(shown(&both, &Wanted::IfNonePublic, 500), unused);
        assert_eq!(shown(&both, &Wanted::All, 500), (vec![3], vec![]));
        let these = Wanted::These(vec![ShortChannelId::from_u64(3)]);
        assert_eq!(shown(&both, &these, 500), (vec![3], vec![]));
    }

    #[test]
    fn what_is_of_no_use_is_warned_of() {
        let offline = Candidate { is_connected: false, ..candidate(1, 1000) };
        assert_eq!(shown(&[offline], &Wanted::IfNonePublic, 500), (vec![], vec!["warning_offline"]));
        let dead_end = Candidate { is_dead_end: true, ..candidate(1, 1000) };
        assert_eq!(shown(&[dead_end], &Wanted::IfNonePublic, 500), (vec![], vec!["warning_deadends"]));
    }
}
