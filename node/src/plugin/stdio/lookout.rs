//! Looking out for a plugin's answer.
//!
//! Most plugins answer within microseconds, and to be put to sleep and woken up again takes longer than that. So for a moment after a
//! request its I/O task does not wait for the plugin, but looks again and again, and gives everybody else his turn in between. A plugin for
//! which that was in vain is left alone for the next requests, each time for twice as many: slow ones cost nothing, nor do those that hold an
//! HTLC for hours.

use std::time::{Duration, Instant};

/// How long it is looked for an answer.
const MOMENT: Duration = Duration::from_micros(100);

/// For how many requests a plugin is left alone at most.
const LONGEST_BREAK: u32 = 1024;

/// What is known of one plugin's haste.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// When it was asked last, if it is still looked for the answer.
    since: Option<Instant>,
    /// For how many requests it is left alone.
    pause: u32,
    /// For how many it will be, the next time that it is in vain.
    next_pause: u32,
}

impl Lookout {
    /// The plugin has just been asked something.
    pub(super) fn asked(&mut self, now: Instant) {
        match self.pause.checked_sub(1) {
            Some(rest) => self.pause = rest,
            None => self.since = Some(now),
        }
    }

    /// The plugin has said something. Late is as bad as never: somebody else was given much of the time.
    pub(super) fn heard(&mut self, now: impl FnOnce() -> Instant) {
        if self.since.is_some() && self.lasts(now) {
            (self.since, self.next_pause) = (None, 0);
        }
    }

    /// Whether it is worth to look once more, and not to wait.
    pub(super) fn lasts(&mut self, now: impl FnOnce() -> Instant) -> bool {
        let Some(since) = self.since else { return false };
        if now().duration_since(since) < MOMENT {
            return true;
        }
        self.since = None;
        self.next_pause = (self.next_pause * 2).clamp(1, LONGEST_BREAK);
        self.pause = self.next_pause;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_a_moment() {
        let mut lookout = Lookout::default();
        let begin = Instant::now();
        assert!(!lookout.lasts(|| begin), "nothing was asked");
        lookout.asked(begin);
        assert!(lookout.lasts(|| begin) && lookout.lasts(|| begin + MOMENT / 2));
        assert!(!lookout.lasts(|| begin + MOMENT));
        assert!(!lookout.lasts(|| begin), "it is over");
        lookout.asked(begin);
        assert!(!lookout.lasts(|| begin), "it was in vain, and is left out once");
        lookout.asked(begin);
        assert!(lookout.lasts(|| begin));
        lookout.heard(|| begin);
        assert!(!lookout.lasts(|| begin), "the answer is there");
    }

    #[test]
    fn slow_plugins_are_left_alone_for_more_and_more_requests() {
        let mut lookout = Lookout::default();
        let now = Instant::now();
        let asked = |lookout: &mut Lookout, times: usize| {
            let mut looked = 0;
            for _ in 0..times {
                lookout.asked(now);
                looked += usize::from(lookout.lasts(|| now));
                lookout.heard(|| now + MOMENT);
            }
            looked
        };
        assert_eq!(asked(&mut lookout, 2048), 11);
        // Once it answers at once, it is looked for each answer again.
        let mut looked = 0;
        for _ in 0..1030 {
            lookout.asked(now);
            looked += usize::from(lookout.lasts(|| now));
            lookout.heard(|| now);
        }
        assert!(looked > 5, "{looked}");
        lookout.asked(now);
        assert!(lookout.lasts(|| now));
    }
}
