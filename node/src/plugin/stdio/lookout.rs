//! Looking out for a plugin's answer.
//!
//! Most plugins answer within microseconds, and to be put to sleep and woken up again takes longer than that. So for a moment after a
//! request its I/O task does not wait for the plugin, but looks again and again, and gives everybody else his turn in between. A plugin for
//! which that was in vain is left alone for the next requests, each time for twice as many, until it answers in time: slow ones cost next to
//! nothing, nor do those that hold an HTLC for hours.

use std::time::{Duration, Instant};

/// How long it is looked for an answer.
const MOMENT: Duration = Duration::from_micros(100);

/// For how many requests a plugin is left alone at most.
const LONGEST_BREAK: u32 = 32;

/// What is known of one plugin's haste.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// When it was asked last, if it has not said anything since.
    asked: Option<Instant>,
    /// It is looked for the answer.
    looking: bool,
    /// For how many requests it is left alone.
    pause: u32,
    /// For how many it was, the last time that it was in vain.
    last_pause: u32,
}

impl Lookout {
    /// The plugin has just been asked something.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
        self.looking = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
    }

    /// The plugin has said something: in time, whether it was looked for it or not, or late.
    pub(super) fn heard(&mut self, now: impl FnOnce() -> Instant) {
        let Some(asked) = self.asked.take() else { return };
        if now().duration_since(asked) < MOMENT {
            (self.pause, self.last_pause) = (0, 0);
        } else if self.looking {
            self.was_in_vain();
        }
        self.looking = false;
    }

    /// Whether it is worth to look once more, and not to wait.
    pub(super) fn lasts(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if !self.looking {
            return false;
        }
        self.looking = self.asked.is_some_and(|asked| now().duration_since(asked) < MOMENT);
        if !self.looking {
            self.was_in_vain();
        }
        self.looking
    }

    fn was_in_vain(&mut self) {
        self.last_pause = (self.last_pause * 2).clamp(1, LONGEST_BREAK);
        self.pause = self.last_pause;
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
    fn slow_plugins_are_left_alone_until_they_answer_in_time() {
        let mut lookout = Lookout::default();
        let now = Instant::now();
        let looked = |lookout: &mut Lookout, times: usize, takes: Duration| -> usize {
            let look = |_| {
                lookout.asked(now);
                let looked = lookout.lasts(|| now);
                lookout.heard(|| now + takes);
                usize::from(looked)
            };
            (0..times).map(look).sum()
        };
        assert_eq!(looked(&mut lookout, 100, Duration::ZERO), 100);
        assert_eq!(looked(&mut lookout, 1 + 1 + 1 + 2 + 1 + 4 + 1 + 8 + 1 + 16, MOMENT), 5);
        assert_eq!(looked(&mut lookout, 33 * 10, MOMENT), 10);
        assert_eq!(looked(&mut lookout, 2, Duration::ZERO), 2, "it was next");
        looked(&mut lookout, 9, MOMENT);
        assert_eq!(looked(&mut lookout, 20, Duration::ZERO), 19, "the first was heard without");
    }
}
