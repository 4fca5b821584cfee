//! What the system says of an error, as C's `strerror` words it.

use std::io;

/// The system's words, without the number that Rust adds.
pub(crate) fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
