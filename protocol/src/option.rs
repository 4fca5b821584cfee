//! Plugin options: their types and values (`lightningd/plugin.c:plugin_opt_add`).

use crate::deprecation::Deprecated;
use crate::profile::Profile;
use serde::ser::{Serialize, Serializer};

/// The type of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// Any text.
    String,
    /// Any text, shown as `...` by `listconfigs`.
    StringConceal,
    /// A signed 64-bit integer in decimal, hex (`0x`) or octal (`0`).
    Int,
    /// `true`, `yes`, `false` or `no`, in any case.
    Bool,
    /// Given or not, without a value.
    Flag,
}

impl OptionType {
    const NAMES: [(&'static str, Self); 5] = [
        ("string", Self::String),
        ("string-conceal", Self::StringConceal),
        ("int", Self::Int),
        ("bool", Self::Bool),
        ("flag", Self::Flag),
    ];

    /// The type called `name` in a manifest.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, found)| found)
    }

    /// Its name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// Reads a value given on the command line or as a default.
    ///
    /// # Errors
    /// lightningd's text, such as `'x' is not a number`.
    pub fn parse(self, text: &str, profile: Profile) -> Result<OptionValue, String> {
        let value = match self {
            Self::String | Self::StringConceal => Ok(OptionValue::String(text.to_owned())),
            Self::Int if text.is_empty() && profile.empty_is_zero() => Ok(OptionValue::Int(0)),
            Self::Int => integer(text).map(OptionValue::Int),
            Self::Bool => {
                let value = profile.option_bool(text).map(OptionValue::Bool);
                value.ok_or_else(|| format!("Invalid argument '{text}'"))
            }
            Self::Flag => return Err("doesn't allow an argument".to_owned()),
        };
        value.map_err(|why| profile.bad_option_value(text, self.name(), why))
    }
}

impl Serialize for OptionType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// C's `strtoll(text, base 0)`, which takes `0x1f`, `017`, signs, and white space in front.
fn integer(text: &str) -> Result<i64, String> {
    let number = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number.strip_prefix('+').unwrap_or(number)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.strip_prefix("0x") {
        Some(hex) => (16, hex),
        None if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        None => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(format!("'{text}' is not a number"));
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(|_| format!("'{text}' is out of range"))
}

/// A boolean as lightningd takes it since v23.08: `true`, `yes`, `false` or `no`, in any case.
///
/// # Errors
/// lightningd's text.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        _ => Err(format!("Invalid argument '{text}'")),
    }
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Of a `string` or `string-conceal`.
    String(String),
    /// Of an `int`.
    Int(i64),
    /// Of a `bool`.
    Bool(bool),
    /// A flag that was given.
    Set,
}

impl OptionValue {
    /// The value as it stands in `init` and in `listconfigs`. An integer is in decimal, also where v26.06
    /// repeats what was written, hex and octal included: that would not be JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::String(text) => text.as_str().into(),
            Self::Int(number) => (*number).into(),
            Self::Bool(value) => (*value).into(),
            Self::Set => true.into(),
        }
    }
}

/// An option as a plugin declares it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PluginOption {
    /// Its name, without the dashes: lower case letters, digits, `_` and `-` (older releases: anything).
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub option_type: OptionType,
    /// Shown by `--help`.
    pub description: String,
    /// The text of its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether it may be given several times.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub multi: bool,
    /// Whether `setconfig` may change it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dynamic: bool,
    /// Whether it is deprecated.
    #[serde(skip_serializing_if = "Deprecated::is_never")]
    pub deprecated: Deprecated,
}

impl PluginOption {
    /// An option without a default.
    #[must_use]
    pub fn new(name: &str, option_type: OptionType, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            option_type,
            description: description.to_owned(),
            default: None,
            multi: false,
            dynamic: false,
            deprecated: Deprecated::Never,
        }
    }

    /// The same option with a default.
    #[must_use]
    pub fn default(mut self, text: &str) -> Self {
        self.default = Some(text.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(option_type: OptionType, text: &str) -> Result<OptionValue, String> {
        option_type.parse(text, Profile::V26_06)
    }

    fn int(text: &str) -> Result<i64, String> {
        match parsed(OptionType::Int, text)? {
            OptionValue::Int(number) => Ok(number),
            other => panic!("an int is no {other:?}"),
        }
    }

    #[test]
    fn integers_are_strtol_s() {
        let good = [("0", 0), ("-5", -5), ("+7", 7), ("0x10", 16), ("-0X1f", -31), ("017", 15), (" \t8", 8)];
        for (text, number) in good {
            assert_eq!(int(text), Ok(number), "{text}");
        }
        for bad in ["", "foo", "0x", "08", "1 ", "--1", "1.5", "- 1"] {
            assert_eq!(int(bad), Err(format!("'{bad}' is not a number")));
        }
        for far in ["9223372036854775808", "-9223372036854775809", "0x8000000000000000"] {
            assert_eq!(int(far), Err(format!("'{far}' is out of range")));
        }
    }

    #[test]
    fn older_releases_have_one_text_for_every_value_and_other_booleans() {
        for profile in [Profile::Manual, Profile::V0_10, Profile::V23_02] {
            let refused = |option_type: OptionType, text| option_type.parse(text, profile).unwrap_err();
            assert_eq!(refused(OptionType::Int, "x"), "x does not parse as type int");
            assert_eq!(refused(OptionType::Bool, "yes"), "yes does not parse as type bool");
            assert_eq!(OptionType::Int.parse("", profile), Ok(OptionValue::Int(0)));
            assert_eq!(OptionType::Bool.parse("1", profile), Ok(OptionValue::Bool(true)));
            assert_eq!(OptionType::Bool.parse("False", profile), Ok(OptionValue::Bool(false)));
        }
        assert_eq!(parsed(OptionType::Bool, "yEs"), Ok(OptionValue::Bool(true)));
        assert_eq!(parsed(OptionType::Bool, "1"), Err("Invalid argument '1'".to_owned()));
    }

    /// A number as a user may write it.
    fn written() -> impl Strategy<Value = (i64, String)> {
        (any::<i64>(), 0..5usize).prop_map(|(number, form)| {
            let (sign, size) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
            let text = match form {
                0 => number.to_string(),
                1 => format!("{sign}0x{size:x}"),
                2 => format!("{sign}0X{size:X}"),
                3 => format!("{sign}0{size:o}"),
                _ => format!("  {sign}{size}"),
            };
            (number, text)
        })
    }

    proptest! {
        #[test]
        fn a_number_is_read_in_every_form((number, text) in written()) {
            for profile in Profile::ALL {
                prop_assert_eq!(OptionType::Int.parse(&text, profile), Ok(OptionValue::Int(number)));
            }
            prop_assert_eq!(int(&text).unwrap().to_string(), OptionValue::Int(number).to_json().to_string());
        }

        #[test]
        fn what_is_not_refused_is_a_value_of_the_type(text in r"[-+0-9a-fxtruesno ]{0,8}", which in 0..4usize) {
            for profile in Profile::ALL {
                let option_type = OptionType::NAMES[which].1;
                if let Ok(value) = option_type.parse(&text, profile) {
                    let json = value.to_json();
                    let is_of_type = match option_type {
                        OptionType::String | OptionType::StringConceal => json.as_str() == Some(&text),
                        OptionType::Int => json.is_i64(),
                        OptionType::Bool => json.is_boolean(),
                        OptionType::Flag => false,
                    };
                    prop_assert!(is_of_type, "{:?} gives {}", text, json);
                    // What `init` says is read as the same value again.
                    let said = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
                    prop_assert_eq!(option_type.parse(&said, profile), Ok(value));
                }
            }
        }
    }
}
