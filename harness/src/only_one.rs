//! `only_one`, as CLN's testers know it: the one element of an array that must have just one.

use serde_json::Value;

use crate::error::{Error, Result};

/// The one element of a JSON array, such as of the `peers` of `listpeers`.
///
/// ```
/// let answer = serde_json::json!({"peers": [{"connected": true}]});
/// assert_eq!(leyden::only_one(&answer["peers"])?["connected"], true);
/// # leyden::Result::Ok(())
/// ```
///
/// # Errors
/// If it has more or fewer, or is no array.
#[track_caller]
pub fn only_one(array: &Value) -> Result<&Value> {
    let doing = || Error::test("taking the only element of an array").expected("an array with one element");
    match array.as_array().map(Vec::as_slice) {
        Some([element]) => Ok(element),
        Some(elements) => {
            Err(doing().came(format!("{} came", elements.len())).evidence("the array", [array.to_string()]))
        }
        None => Err(doing().came(array.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn more_or_fewer_are_shown() {
        for (array, came) in [(json!([]), "0 came"), (json!([1, 2]), "2 came"), (json!(null), "null")] {
            let error = only_one(&array).unwrap_err().to_string();
            assert!(error.contains("one element") && error.contains(came), "{error}");
            assert!(error.contains(file!()), "{error}");
        }
    }
}
