//! Plugin options: their declaration in the manifest, their types and values
//! (`lightningd/plugin.c:plugin_opt_add`).

use crate::json;
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
    pub fn parse(self, text: &str) -> Result<OptionValue, String> {
        match self {
            Self::String | Self::StringConceal => Ok(OptionValue::String(text.to_owned())),
            Self::Int => integer(text).map(|_| OptionValue::Int(text.to_owned())),
            Self::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" => Ok(OptionValue::Bool(true)),
                "false" | "no" => Ok(OptionValue::Bool(false)),
                _ => Err(format!("Invalid argument '{text}'")),
            },
            Self::Flag => Err("doesn't allow an argument".to_owned()),
        }
    }
}

impl Serialize for OptionType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// C's `strtoll(text, base 0)`, which takes `0x1f`, `017` and signs.
fn integer(text: &str) -> Result<i64, String> {
    let not_a_number = || format!("'{text}' is not a number");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.strip_prefix("0x") {
        Some(hex) => (16, hex),
        None if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        None => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(not_a_number());
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(|_| format!("'{text}' is out of range"))
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Of a `string` or `string-conceal`.
    String(String),
    /// Of an `int`: the text as it was written, which goes into `init` unchanged.
    Int(String),
    /// Of a `bool`.
    Bool(bool),
    /// A flag that was given.
    Set,
}

impl OptionValue {
    /// The value as it stands in `init`. An integer is its text verbatim, as lightningd does it, but for
    /// hex and octal, which would not be JSON: they become decimal.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::String(text) => text.as_str().into(),
            Self::Int(text) => integer(text).unwrap_or_default().into(),
            Self::Bool(value) => (*value).into(),
            Self::Set => true.into(),
        }
    }
}

/// An option as a plugin declares it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PluginOption {
    /// Its name, without the dashes: lower case letters, digits, `_` and `-`.
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

    /// Reads one element of the manifest's `options`.
    ///
    /// # Errors
    /// lightningd's text; [`crate::Manifest::parse`] passes it on.
    pub(crate) fn parse(element: &str) -> Result<Self, String> {
        let field = |name: &str| json::member(element, name);
        let (Some(name), Some(option_type), Some(description)) =
            (field("name"), field("type"), field("description"))
        else {
            return Err(r#"An option is missing either "name", "description" or "type""#.to_owned());
        };
        let name = json::bare(name);
        if !name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'-')) {
            return Err(format!(r#"Option "{name}" must be lowercase alphanumeric, plus _ or -'"#));
        }
        let deprecated = Deprecated::parse(field("deprecated"))?;
        let flag = |member: &str| match field(member) {
            None => Ok(false),
            Some(value) => json::boolean(value)
                .ok_or_else(|| format!("--{name}: invalid \"{member}\" field {}", json::content(value))),
        };
        let (multi, dynamic) = (flag("multi")?, flag("dynamic")?);
        let option_type = OptionType::from_name(&json::bare(option_type))
            .ok_or_else(|| r#"Only "string", "int", "bool", and "flag" options are supported"#.to_owned())?;
        let default = check_default(&name, option_type, multi, field("default"))?;
        let description = json::bare(description);
        Ok(Self { name, option_type, description, default, multi, dynamic, deprecated })
    }
}

fn check_default(
    name: &str,
    option_type: OptionType,
    multi: bool,
    default: Option<&str>,
) -> Result<Option<String>, String> {
    match (option_type, default) {
        (OptionType::Flag, Some(value)) if value != "false" => {
            let value = json::content(value);
            return Err(format!("--{name} type flag default must be 'false' not {value}"));
        }
        (OptionType::Flag, _) if multi => return Err("flag type cannot be multi".to_owned()),
        (OptionType::Bool, _) if multi => return Err("bool type cannot be multi".to_owned()),
        (OptionType::Flag, _) | (_, None | Some("null")) => return Ok(None),
        _ => {}
    }
    // Escapes stay: what they stand for is not lightningd's concern, and `init` escapes them once more.
    let text = json::content(default.unwrap_or_default());
    match option_type.parse(text) {
        Ok(_) => Ok(Some(text.to_owned())),
        Err(why) => Err(format!("Invalid default '{text}': {why}")),
    }
}

/// From which release on something is deprecated (`common/deprecation.c`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Deprecated {
    /// It is not.
    #[default]
    Never,
    /// `true`: from the running release on.
    Now,
    /// `[start]` or `[start, end]`, as `vYY.MM`.
    Range(String, Option<String>),
}

impl Deprecated {
    fn is_never(&self) -> bool {
        *self == Self::Never
    }

    /// Reads a manifest's `deprecated` member.
    ///
    /// # Errors
    /// lightningd's text.
    pub(crate) fn parse(member: Option<&str>) -> Result<Self, String> {
        let Some(text) = member else { return Ok(Self::Never) };
        if let Some(now) = json::boolean(text) {
            return Ok(if now { Self::Now } else { Self::Never });
        }
        let elements = json::elements(text).unwrap_or_default();
        let version = |which: &str, token: &str| {
            let text = json::bare(token);
            let digits = text.strip_prefix('v').unwrap_or_default();
            let good = (2..=3).contains(&digits.split('.').count())
                && digits.split('.').all(|part| part.parse::<u16>().is_ok());
            if good { Ok(text) } else { Err(format!(r#"invalid "deprecated" {which} version {token}"#)) }
        };
        match elements[..] {
            [start] => Ok(Self::Range(version("start", start)?, None)),
            [start, end] => Ok(Self::Range(version("start", start)?, Some(version("end", end)?))),
            _ => Err(format!(r#""deprecated" must be an array of 1 or 2 elements, not {text}"#)),
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

    #[test]
    fn integers_are_strtol_s() {
        for good in ["0", "-5", "+7", "0x10", "017", "9223372036854775807"] {
            assert!(OptionType::Int.parse(good).is_ok(), "{good}");
        }
        assert_eq!(OptionType::Int.parse("0x10").unwrap().to_json(), 16);
        assert_eq!(OptionType::Int.parse("foo"), Err("'foo' is not a number".to_owned()));
        assert_eq!(OptionType::Int.parse(""), Err("'' is not a number".to_owned()));
        assert_eq!(
            OptionType::Int.parse("9223372036854775808"),
            Err("'9223372036854775808' is out of range".to_owned())
        );
    }

    #[test]
    fn a_bool_is_not_a_number() {
        assert_eq!(OptionType::Bool.parse("Yes"), Ok(OptionValue::Bool(true)));
        assert_eq!(OptionType::Bool.parse("1"), Err("Invalid argument '1'".to_owned()));
    }
}
