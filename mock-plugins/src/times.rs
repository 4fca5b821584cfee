//! How often a call is expected.

use std::fmt;
use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};
use std::str::FromStr;

/// A number of calls: `1`, `1..=3`, `2..` or `..=3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    least: usize,
    most: Option<usize>,
}

impl Times {
    /// Whether `actual` calls are as many as expected.
    #[must_use]
    pub fn contains(self, actual: usize) -> bool {
        actual >= self.least && self.most.is_none_or(|most| actual <= most)
    }

    /// Whether a further call would be one too many.
    pub(crate) fn is_full(self, actual: usize) -> bool {
        self.most.is_some_and(|most| actual >= most)
    }
}

impl From<usize> for Times {
    fn from(exactly: usize) -> Self {
        Self { least: exactly, most: Some(exactly) }
    }
}

impl From<RangeInclusive<usize>> for Times {
    fn from(range: RangeInclusive<usize>) -> Self {
        Self { least: *range.start(), most: Some(*range.end()) }
    }
}

impl From<RangeFrom<usize>> for Times {
    fn from(range: RangeFrom<usize>) -> Self {
        Self { least: range.start, most: None }
    }
}

impl From<RangeToInclusive<usize>> for Times {
    fn from(range: RangeToInclusive<usize>) -> Self {
        Self { least: 0, most: Some(range.end) }
    }
}

/// Reads what one would write in Rust.
impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!(r#"expected a number, "1..=3", "2.." or "..=3", not "{text}""#);
        let number = |part: &str| part.trim().parse::<usize>().map_err(|_| wrong());
        match text.split_once("..") {
            None => number(text).map(Self::from),
            Some((least, "")) => Ok(Self::from(number(least)?..)),
            Some((least, most)) => {
                let least = if least.is_empty() { 0 } else { number(least)? };
                let most = number(most.strip_prefix('=').ok_or_else(wrong)?)?;
                if least <= most { Ok(Self::from(least..=most)) } else { Err(wrong()) }
            }
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        match (self.least, self.most) {
            (least, None) => write!(formatter, "at least {least} call{}", plural(least)),
            (0, Some(0)) => formatter.write_str("no call"),
            (least, Some(most)) if least == most => write!(formatter, "{least} call{}", plural(least)),
            (0, Some(most)) => write!(formatter, "at most {most} call{}", plural(most)),
            (least, Some(most)) => write!(formatter, "{least} to {most} calls"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_it_as_rust_does() {
        let cases = [
            ("1", Times::from(1), "1 call"),
            ("0", Times::from(0), "no call"),
            ("1..=3", Times::from(1..=3), "1 to 3 calls"),
            ("2..", Times::from(2..), "at least 2 calls"),
            ("..=3", Times::from(..=3), "at most 3 calls"),
        ];
        for (text, times, words) in cases {
            assert_eq!(text.parse(), Ok(times));
            assert_eq!(times.to_string(), words);
        }
        for text in ["", "x", "1..3", "..", "3..=1", "-1"] {
            assert!(text.parse::<Times>().is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        let times = Times::from(1..=3);
        assert_eq!([0, 1, 3, 4].map(|actual| times.contains(actual)), [false, true, true, false]);
        assert!(times.is_full(3) && !times.is_full(2));
        assert!(!Times::from(2..).is_full(100));
    }
}
