//! Deprecation: from which release on something should no longer be used, and until when it may be
//! (`common/deprecation.c`).

use crate::json;
use crate::profile::Profile;
use serde::ser::{Serialize, Serializer};

/// From which release on something is deprecated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Deprecated {
    /// It is not.
    #[default]
    Never,
    /// `true`: from the running release on.
    Now,
    /// `[start]` or `[start, end]`, as `vYY.MM`. Without an end it is six months later.
    Range(String, Option<String>),
}

/// What a node of some release makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It may be used.
    Fine,
    /// It may be used where deprecated things are allowed.
    Deprecated,
    /// The same, but the node complains.
    Complained,
    /// It may be used by those who promised to mend their ways (`--i-promise-to-fix-broken-api-user`).
    Begged,
}

/// Six months, as [`version_number`] counts.
const GRACE: u32 = 60;

/// A version as a number that grows by 10 a month; `None` if it is none.
fn version_number(version: &str) -> Option<u32> {
    let (year, rest) = leading_number(version.strip_prefix('v')?)?;
    let (month, rest) = leading_number(rest.strip_prefix('.')?)?;
    let patch = match rest.strip_prefix('.') {
        Some(rest) => leading_number(rest)?.0,
        None => 0,
    };
    let good = year <= 99 && (1..=12).contains(&month) && patch < 10;
    good.then_some(year * 120 + month * 10 + patch)
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().map(|number| (number, &text[end..]))
}

impl Deprecated {
    /// Whether it is not deprecated, now or later.
    #[must_use]
    pub fn is_never(&self) -> bool {
        *self == Self::Never
    }

    /// What a node of the release `profile` makes of it.
    #[must_use]
    pub fn standing(&self, profile: Profile) -> Standing {
        let (start, end) = match self {
            Self::Never => return Standing::Fine,
            Self::Now => return Standing::Deprecated,
            Self::Range(start, end) => (start, end),
        };
        let start = version_number(start).unwrap_or_default();
        let end = end.as_deref().and_then(version_number).unwrap_or(start + GRACE);
        match version_number(profile.deprecation_version()).unwrap_or_default() {
            now if now < start => Standing::Fine,
            now if now < end => Standing::Deprecated,
            now if now == end => Standing::Complained,
            _ => Standing::Begged,
        }
    }

    /// Reads a manifest's `deprecated` member. `of` is what it belongs to.
    ///
    /// # Errors
    /// lightningd's text.
    pub(crate) fn parse(member: Option<&str>, of: &str, profile: Profile) -> Result<Self, String> {
        let Some(text) = member else { return Ok(Self::Never) };
        if let Some(now) = json::boolean(text) {
            return Ok(if now { Self::Now } else { Self::Never });
        }
        if !profile.deprecation_has_range() {
            return Err(format!(r#"{of}: invalid "deprecated" field {}"#, json::content(text)));
        }
        let version = |which: &str, token: &str| {
            let text = json::content(token);
            let good = version_number(text).is_some();
            if good {
                Ok(text.to_owned())
            } else {
                Err(format!(r#"invalid "deprecated" {which} version {text}"#))
            }
        };
        match json::elements(text).unwrap_or_default()[..] {
            [start] => Ok(Self::Range(version("start", start)?, None)),
            [start, end] => Ok(Self::Range(version("start", start)?, Some(version("end", end)?))),
            _ => {
                let text = json::content(text);
                Err(format!(r#""deprecated" must be an array of 1 or 2 elements, not {text}"#))
            }
        }
    }
}

impl Serialize for Deprecated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Never => serializer.serialize_bool(false),
            Self::Now => serializer.serialize_bool(true),
            Self::Range(start, None) => [start].serialize(serializer),
            Self::Range(start, Some(end)) => [start, end].serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(range: &str) -> Standing {
        Deprecated::parse(Some(range), "x", Profile::V26_06).unwrap().standing(Profile::V26_06)
    }

    #[test]
    fn a_range_is_held_against_the_running_release() {
        let cases = [
            ("false", Standing::Fine),
            ("true", Standing::Deprecated),
            (r#"["v26.09"]"#, Standing::Fine),
            (r#"["v26.06"]"#, Standing::Deprecated),
            (r#"["v26.04"]"#, Standing::Deprecated),
            (r#"["v25.12"]"#, Standing::Complained),
            (r#"["v25.09"]"#, Standing::Begged),
            (r#"["v23.08", "v26.06"]"#, Standing::Complained),
            (r#"["v23.08", "v26.09.1"]"#, Standing::Deprecated),
            (r#"["v23.08rc1", "v24.02"]"#, Standing::Begged),
        ];
        for (range, expected) in cases {
            assert_eq!(standing(range), expected, "{range}");
        }
    }

    #[test]
    fn what_is_no_range_is_quoted() {
        let refusal = |range| Deprecated::parse(Some(range), "--o1", Profile::V26_06).unwrap_err();
        let shape = r#""deprecated" must be an array of 1 or 2 elements, not "#;
        assert_eq!(refusal(r#""soon""#), format!("{shape}soon"));
        assert_eq!(refusal("[]"), format!("{shape}[]"));
        assert_eq!(refusal(r#"["23.08"]"#), r#"invalid "deprecated" start version 23.08"#);
        assert_eq!(refusal(r#"["v23.08","v24.13"]"#), r#"invalid "deprecated" end version v24.13"#);
        let old = Deprecated::parse(Some(r#"["v23.08"]"#), "--o1", Profile::V0_10);
        assert_eq!(old.unwrap_err(), r#"--o1: invalid "deprecated" field ["v23.08"]"#);
    }
}
