//! `assert_transcript!`: a transcript compared with a snapshot in the author's crate.

/// Compares a [`Transcript`](crate::transcript::Transcript), or anything else that prints, with a snapshot by [insta](https://insta.rs), which
/// the author's crate need not depend on.
///
/// ```no_run
/// # fn example(transcript: leyden::Transcript) {
/// // A file beside the test, named after it: snapshots/<module>__<test>.snap
/// leyden::assert_transcript!(transcript);
/// // A file with a name of its own.
/// leyden::assert_transcript!("refused", transcript);
/// // In the test's source.
/// leyden::assert_transcript!(transcript.only(["disconnect"]), @r#"lightningd -> p  notification disconnect {"disconnect":{"id":"<l2>"}}"#);
/// # }
/// ```
///
/// A new or changed snapshot fails the test and is written beside the old one as `.snap.new`; look at it with `cargo insta review`, or run the
/// test with `INSTA_UPDATE=always`.
#[macro_export]
macro_rules! assert_transcript {
    ($transcript:expr, @$snapshot:literal $(,)?) => {
        $crate::__private::insta::assert_snapshot!($transcript, @$snapshot)
    };
    ($name:expr, $transcript:expr $(,)?) => {
        $crate::__private::insta::assert_snapshot!($name, $transcript)
    };
    ($transcript:expr $(,)?) => {
        $crate::__private::insta::assert_snapshot!($transcript)
    };
}
