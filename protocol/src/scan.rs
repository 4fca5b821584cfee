//! Members of an object, taken one after another, with lightningd's complaint about the first that is wrong
//! (`common/json_parse.c:json_scan`).
//!
//! lightningd describes what it wants by a guide such as `{chain:%,ibd:%}`, and quotes as much of it as it had
//! read when it stumbled.

use crate::json;

/// A scan of one object.
#[derive(Debug)]
pub struct Scan<'a> {
    token: &'a str,
    guide: String,
}

/// A token as a value, or `None` if it is none of this kind.
type Convert<'a, T> = fn(&'a str) -> Option<T>;

impl<'a> Scan<'a> {
    /// Begins with an object.
    ///
    /// # Errors
    /// lightningd's complaint if it is none.
    pub fn object(token: &'a str) -> Result<Self, String> {
        let scan = Self { token, guide: "{".to_owned() };
        match json::members(token) {
            Some(_) => Ok(scan),
            None => Err(scan.complaint(&format!("token is not an object: {token}"))),
        }
    }

    /// Begins with the object that is the member `name` of another.
    ///
    /// # Errors
    /// lightningd's complaint if either is none.
    pub fn within(outer: &'a str, name: &str) -> Result<Self, String> {
        let mut scan = Self::object(outer)?;
        let inner = scan.enter(name)?;
        scan.guide.push('{');
        match json::members(inner) {
            Some(_) => Ok(Self { token: inner, ..scan }),
            None => Err(scan.complaint(&format!("token is not an object: {inner}"))),
        }
    }

    /// The member `name`, by one of the conversions of this module; `by` is lightningd's name for it.
    ///
    /// # Errors
    /// lightningd's complaint if the member is missing or of another kind.
    pub fn member<T>(&mut self, name: &str, by: &str, convert: Convert<'a, T>) -> Result<T, String> {
        let value = self.enter(name)?;
        self.guide.push('%');
        convert(value).ok_or_else(|| self.complaint(&format!("{by} could not parse {value}")))
    }

    /// The member `name`, whatever it is.
    fn enter(&mut self, name: &str) -> Result<&'a str, String> {
        if !self.guide.ends_with('{') {
            self.guide.push(',');
        }
        self.guide.push_str(name);
        self.guide.push(':');
        let missing = || self.complaint(&format!("object does not have member {name}"));
        json::member(self.token, name).ok_or_else(missing)
    }

    /// A number of 32 bits; in a string it is one too.
    ///
    /// # Errors
    /// As [`Scan::member`].
    pub fn u32(&mut self, name: &str) -> Result<u32, String> {
        self.member(name, "json_to_u32", number)
    }

    /// As [`Scan::u32`], where lightningd calls it a number.
    ///
    /// # Errors
    /// As [`Scan::member`].
    pub fn number(&mut self, name: &str) -> Result<u32, String> {
        self.member(name, "json_to_number", number)
    }

    /// A bool, which must not be in a string.
    ///
    /// # Errors
    /// As [`Scan::member`].
    pub fn bool(&mut self, name: &str) -> Result<bool, String> {
        self.member(name, "json_to_bool", |token| token.parse().ok())
    }

    /// Whatever is there, without its quotes.
    ///
    /// # Errors
    /// As [`Scan::member`].
    pub fn text(&mut self, name: &str) -> Result<&'a str, String> {
        self.member(name, "json_strdup", |token| Some(json::content(token)))
    }

    fn complaint(&self, what: &str) -> String {
        format!("Parsing '{}': {what}", self.guide)
    }
}

/// A number of 32 bits; lightningd also takes it from within quotes.
#[must_use]
pub fn number(token: &str) -> Option<u32> {
    json::content(token).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(token: &str) -> Result<(&str, u32, bool), String> {
        let mut scan = Scan::object(token)?;
        Ok((scan.text("chain")?, scan.u32("blocks")?, scan.bool("ibd")?))
    }

    #[test]
    fn the_guide_is_quoted_as_far_as_it_was_read() {
        for (token, complaint) in [
            ("[1]", "Parsing '{': token is not an object: [1]"),
            ("{}", "Parsing '{chain:': object does not have member chain"),
            (r#"{"chain":"x"}"#, "Parsing '{chain:%,blocks:': object does not have member blocks"),
            (r#"{"chain":1,"blocks":-1}"#, "Parsing '{chain:%,blocks:%': json_to_u32 could not parse -1"),
            (
                r#"{"chain":1,"blocks":1,"ibd":"true"}"#,
                r#"Parsing '{chain:%,blocks:%,ibd:%': json_to_bool could not parse "true""#,
            ),
        ] {
            assert_eq!(info(token), Err(complaint.to_owned()));
        }
    }

    #[test]
    fn an_object_within_another_is_quoted_from_the_outside() {
        let inner = |token| Scan::within(token, "result").and_then(|mut scan| scan.u32("n"));
        assert_eq!(inner(r#"{"result":{"n":1}}"#), Ok(1));
        for (token, complaint) in [
            (r#"{"error":1}"#, "Parsing '{result:': object does not have member result"),
            (r#"{"result":1}"#, "Parsing '{result:{': token is not an object: 1"),
            (r#"{"result":{}}"#, "Parsing '{result:{n:': object does not have member n"),
        ] {
            assert_eq!(inner(token), Err(complaint.to_owned()));
        }
    }

    #[test]
    fn a_number_may_be_in_quotes() {
        assert_eq!(info(r#"{"ibd":false,"blocks":"7","chain":"x"}"#), Ok(("x", 7, false)));
    }
}
