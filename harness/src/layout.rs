//! JSON for people: what fits stays on one line, the rest is broken and indented; order and tokens stay as they are.

use serde_json::Value;

/// No line is longer than this if its tokens allow it.
pub(crate) const WIDTH: usize = 120;

const INDENT: usize = 2;

/// A JSON value whose tokens are ready to be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A string with its quotes, a number, `true`, `false`, `null` or an alias.
    Token(String),
    Array(Vec<Shape>),
    /// Member names with their quotes, in the sender's order.
    Object(Vec<(String, Shape)>),
}

impl Shape {
    /// Everything on one line, without spaces.
    pub(crate) fn compact(&self) -> String {
        match self {
            Self::Token(token) => token.clone(),
            Self::Array(elements) => {
                let elements: Vec<String> = elements.iter().map(Self::compact).collect();
                format!("[{}]", elements.join(","))
            }
            Self::Object(members) => {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name}:{}", value.compact())).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    /// A JSON value in which an alias that stands for a number is a string.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Token(token) => {
                serde_json::from_str(token).unwrap_or_else(|_| Value::String(token.clone()))
            }
            Self::Array(elements) => elements.iter().map(Self::to_value).collect(),
            Self::Object(members) => {
                members.iter().map(|(name, value)| (unquoted(name), value.to_value())).collect()
            }
        }
    }

    /// The text with this value behind it: on the same line if it fits, else on a line of its own, else as a block.
    pub(crate) fn behind(&self, text: &str) -> String {
        let used = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let own_line = " ".repeat(2 * INDENT);
        let compact = self.compact();
        let length = compact.chars().count();
        if used + length > WIDTH && own_line.len() + length <= WIDTH {
            return format!("{text}\n{own_line}{compact}");
        }
        format!("{text} {}", self.lay_out(used, 0))
    }

    /// On one line if that leaves the line within [`WIDTH`], otherwise in a block. `used` is what already stands on
    /// the first line, `depth` the indentation of the last.
    fn lay_out(&self, used: usize, depth: usize) -> String {
        let compact = self.compact();
        if used + compact.chars().count() <= WIDTH {
            return compact;
        }
        let inner = " ".repeat((depth + 1) * INDENT);
        let outer = " ".repeat(depth * INDENT);
        match self {
            Self::Token(_) => compact,
            Self::Array(elements) => {
                let lines: Vec<String> = elements
                    .iter()
                    .map(|value| format!("{inner}{}", value.lay_out(inner.len() + 1, depth + 1)))
                    .collect();
                format!("[\n{}\n{outer}]", lines.join(",\n"))
            }
            Self::Object(members) => {
                let lines: Vec<String> = members
                    .iter()
                    .map(|(name, value)| {
                        let start = format!("{inner}{name}: ");
                        let used = start.chars().count() + 1;
                        format!("{start}{}", value.lay_out(used, depth + 1))
                    })
                    .collect();
                format!("{{\n{}\n{outer}}}", lines.join(",\n"))
            }
        }
    }
}

fn unquoted(name: &str) -> String {
    serde_json::from_str(name).unwrap_or_else(|_| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Shape {
        Shape::Token(text.to_owned())
    }

    #[test]
    fn what_fits_stays_on_the_line() {
        let shape =
            Shape::Object(vec![("\"b\"".into(), token("1.0")), ("\"a\"".into(), Shape::Array(vec![]))]);
        assert_eq!(shape.behind("m"), r#"m {"b":1.0,"a":[]}"#);
        assert_eq!(
            shape.behind(&"m".repeat(110)),
            format!(
                "{}
    {}",
                "m".repeat(110),
                shape.compact()
            )
        );
    }

    #[test]
    fn only_what_does_not_fit_is_broken() {
        let long = token(&format!("\"{}\"", "x".repeat(110)));
        let small = Shape::Array(vec![token("1"), token("2")]);
        let shape = Shape::Object(vec![("\"small\"".into(), small), ("\"long\"".into(), long.clone())]);
        let expected = format!("m {{\n  \"small\": [1,2],\n  \"long\": {}\n}}", long.compact());
        assert_eq!(shape.behind("m"), expected);
    }
}
