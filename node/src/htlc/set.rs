//! HTLC sets: the parts of one payment, which are fulfilled or failed together (`lightningd/htlc_set.c`).

use crate::channel::HtlcKey;
use leyden_bolt::tlv::TlvStream;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the other parts of a payment may take. lightningd waits a little longer than the minute that BOLT 4 asks for.
pub(super) const SET_TIMEOUT: Duration = Duration::from_secs(70);

/// The parts of a payment that are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HtlcSet {
    /// Not used again: another set may be for the same payment hash later.
    pub(super) number: u64,
    pub(super) total_msat: u64,
    pub(super) so_far_msat: u64,
    pub(super) parts: Vec<HtlcKey>,
    /// What the onion of the first part said: it stands for all of them.
    pub(super) records: TlvStream,
}

/// Every payment that is on its way to this node, by payment hash.
#[derive(Debug, Default)]
pub(crate) struct HtlcSets {
    sets: BTreeMap<[u8; 32], HtlcSet>,
    next: u64,
}

/// A part to be added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) key: HtlcKey,
    pub(super) payment_hash: [u8; 32],
    pub(super) amount_msat: u64,
    pub(super) total_msat: u64,
    pub(super) has_secret: bool,
}

/// What adding a part leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Added {
    /// There may be more; `Some` if this is the first part of the set with this number.
    Waiting { begun: Option<u64> },
    /// It is all there.
    Complete {
        number: u64,
        /// All parts together.
        msat: u64,
    },
    /// This part is refused: it has no secret to show that it belongs to the others.
    Refused,
    /// Every part is to be failed with `incorrect_or_unknown_payment_details`: the first has no secret, and is not enough.
    Unsecured(HtlcSet),
    /// Every part is to be failed: the parts do not agree on the total, or are too much to be counted.
    Disagreed(HtlcSet),
}

impl HtlcSets {
    /// Adds a part, whose onion had these records, to the set for its payment.
    pub(super) fn add(&mut self, part: &Part, records: &TlvStream) -> Added {
        let hash = part.payment_hash;
        let begun = !self.sets.contains_key(&hash);
        if !begun && !part.has_secret {
            return Added::Refused;
        }
        if begun {
            let number = self.next;
            self.next += 1;
            self.sets.insert(
                hash,
                HtlcSet {
                    number,
                    total_msat: part.total_msat,
                    so_far_msat: 0,
                    parts: Vec::new(),
                    records: records.clone(),
                },
            );
        }
        let set = self.sets.get_mut(&hash).expect("it has just been looked for");
        set.parts.push(part.key);
        let so_far = set.so_far_msat.checked_add(part.amount_msat);
        let Some(so_far) = so_far.filter(|_| set.total_msat == part.total_msat) else {
            return Added::Disagreed(self.sets.remove(&hash).expect("it is there"));
        };
        set.so_far_msat = so_far;
        if so_far >= set.total_msat {
            return Added::Complete { number: set.number, msat: so_far };
        }
        if !part.has_secret {
            return Added::Unsecured(self.sets.remove(&hash).expect("it is there"));
        }
        Added::Waiting { begun: begun.then_some(set.number) }
    }

    /// The set for a payment.
    pub(super) fn get(&self, payment_hash: &[u8; 32]) -> Option<&HtlcSet> {
        self.sets.get(payment_hash)
    }

    /// The set with this number, if it is still there.
    pub(super) fn numbered(&self, number: u64) -> Option<&HtlcSet> {
        self.sets.values().find(|set| set.number == number)
    }

    /// Takes the set with this number, if it is still there.
    pub(super) fn take(&mut self, number: u64) -> Option<HtlcSet> {
        let hash = *self.sets.iter().find(|(_, set)| set.number == number)?.0;
        self.sets.remove(&hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leyden_bolt::transaction::Side;

    fn key(id: u64) -> HtlcKey {
        HtlcKey { dbid: 1, id, owner: Side::Remote }
    }

    fn part(id: u64, amount_msat: u64, total_msat: u64) -> Part {
        Part { key: key(id), payment_hash: [7; 32], amount_msat, total_msat, has_secret: true }
    }

    fn add(sets: &mut HtlcSets, part: &Part) -> Added {
        sets.add(part, &TlvStream::new())
    }

    #[test]
    fn a_set_is_complete_when_its_parts_reach_the_total() {
        let mut sets = HtlcSets::default();
        assert_eq!(add(&mut sets, &part(0, 400, 1000)), Added::Waiting { begun: Some(0) });
        assert_eq!(add(&mut sets, &part(1, 599, 1000)), Added::Waiting { begun: None });
        assert_eq!(add(&mut sets, &part(2, 1, 1000)), Added::Complete { number: 0, msat: 1000 });
        let set = sets.take(0).expect("it waits for the plugins");
        assert_eq!((set.so_far_msat, set.parts), (1000, vec![key(0), key(1), key(2)]));
        assert_eq!(sets.take(0), None);
        assert_eq!(
            add(&mut sets, &part(3, 1000, 1000)),
            Added::Complete { number: 1, msat: 1000 },
            "a new set"
        );
    }

    #[test]
    fn parts_must_agree_on_the_total() {
        let mut sets = HtlcSets::default();
        add(&mut sets, &part(0, 400, 1000));
        let Added::Disagreed(set) = add(&mut sets, &part(1, 400, 999)) else { panic!("the totals differ") };
        assert_eq!(set.parts, [key(0), key(1)], "both are failed");
        add(&mut sets, &part(2, 1, u64::MAX));
        assert!(matches!(add(&mut sets, &part(3, u64::MAX, u64::MAX)), Added::Disagreed(_)), "too much");
        assert_eq!(sets.numbered(1), None);
    }

    #[test]
    fn only_a_whole_payment_needs_no_secret() {
        let without = |part| Part { has_secret: false, ..part };
        let mut sets = HtlcSets::default();
        assert_eq!(add(&mut sets, &without(part(0, 1000, 1000))), Added::Complete { number: 0, msat: 1000 });
        sets.take(0);
        assert!(matches!(add(&mut sets, &without(part(1, 400, 1000))), Added::Unsecured(_)));
        add(&mut sets, &part(2, 400, 1000));
        assert_eq!(add(&mut sets, &without(part(3, 600, 1000))), Added::Refused);
        assert_eq!(sets.numbered(2).expect("the others wait on").parts, [key(2)]);
    }
}
