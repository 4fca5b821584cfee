//! What a failed test tells its author: whose fault it is, what was expected, what came, and what to do.
//!
//! `Debug` equals `Display`, so that `.unwrap()` and a test that returns [`Result`] print the same readable block.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

/// What a fallible step of a test returns.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Where to look first. An author must learn from one word what to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The test asked for something that cannot be.
    Test,
    /// The plugin under test did what it should not, or did not do what it should.
    Plugin,
    /// A Lightning node, bitcoind or Leyden itself misbehaved.
    Node,
    /// The machine lacks something: a program, a file, time, memory.
    Environment,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Test => "the test",
            Fault::Plugin => "the plugin",
            Fault::Node => "the node",
            Fault::Environment => "the environment",
        })
    }
}

/// A failed step, with everything that helps to mend it.
///
/// ```
/// let error = leyden::Error::plugin("l2 waits for a reply to htlc_accepted")
///     .expected("a result of continue, fail or resolve")
///     .came("{\"result\":\"sure\"}")
///     .advice("answer with one of the three");
/// assert_eq!(error.fault(), leyden::Fault::Plugin);
/// ```
pub struct Error(Box<Report>);

struct Report {
    fault: Fault,
    doing: String,
    expected: Option<String>,
    came: Option<String>,
    advice: Option<String>,
    at: &'static Location<'static>,
    evidence: Vec<Evidence>,
    code: Option<i64>,
    fatal: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Lines that show what happened: the end of a dead process's log, the nearest misses of a search.
struct Evidence {
    title: String,
    lines: Vec<String>,
}

impl Error {
    /// The test asked for something that cannot be; `doing` says what was being done or waited for.
    #[track_caller]
    pub fn test(doing: impl Into<String>) -> Self {
        Self::new(Fault::Test, doing)
    }

    /// The plugin under test is to blame.
    #[track_caller]
    pub fn plugin(doing: impl Into<String>) -> Self {
        Self::new(Fault::Plugin, doing)
    }

    /// A Lightning node, bitcoind or Leyden is to blame.
    #[track_caller]
    pub fn node(doing: impl Into<String>) -> Self {
        Self::new(Fault::Node, doing)
    }

    /// The machine is to blame.
    #[track_caller]
    pub fn environment(doing: impl Into<String>) -> Self {
        Self::new(Fault::Environment, doing)
    }

    /// An error of the given fault, at the caller's file and line.
    #[track_caller]
    pub fn new(fault: Fault, doing: impl Into<String>) -> Self {
        Self(Box::new(Report {
            fault,
            doing: doing.into(),
            expected: None,
            came: None,
            advice: None,
            at: Location::caller(),
            evidence: Vec::new(),
            code: None,
            fatal: false,
            source: None,
        }))
    }

    /// What should have been seen.
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.0.expected = Some(expected.into());
        self
    }

    /// What was seen instead.
    pub fn came(mut self, came: impl Into<String>) -> Self {
        self.0.came = Some(came.into());
        self
    }

    /// What the author can do about it.
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// The author's line, where the error was made deeper inside.
    pub fn at(mut self, at: &'static Location<'static>) -> Self {
        self.0.at = at;
        self
    }

    /// Adds lines to look at; nothing is added if there are none.
    pub fn evidence<L: Into<String>>(
        mut self,
        title: impl Into<String>,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        let lines: Vec<String> = lines.into_iter().map(Into::into).collect();
        if !lines.is_empty() {
            self.0.evidence.push(Evidence { title: title.into(), lines });
        }
        self
    }

    /// The code of the JSON-RPC error that this error reports.
    pub fn with_code(mut self, code: i64) -> Self {
        self.0.code = Some(code);
        self
    }

    /// The error below this one.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Waiting on cannot help: [`eventually`](crate::eventually) ends at once when it meets this error.
    pub fn fatal(mut self) -> Self {
        self.0.fatal = true;
        self
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// The code of the JSON-RPC error that was answered; 0, which no RPC uses, when this is another kind of error.
    pub fn code(&self) -> i64 {
        self.0.code.unwrap_or(0)
    }

    /// Whether waiting on is of no use.
    pub fn is_fatal(&self) -> bool {
        self.0.fatal
    }

    /// The author's file and line.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.at
    }

    /// The first line of the block: what was done, what was expected, what came.
    pub fn headline(&self) -> String {
        let Report { doing, expected, came, code, .. } = &*self.0;
        let code = code.map(|code| format!(" (RPC code {code})")).unwrap_or_default();
        match (expected, came) {
            (Some(expected), Some(came)) => format!("{doing}: expected {expected}, but {came}{code}"),
            (Some(expected), None) => format!("{doing}: expected {expected}{code}"),
            (None, Some(came)) => format!("{doing}: {came}{code}"),
            (None, None) => format!("{doing}{code}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &*self.0;
        writeln!(f, "{}", self.headline())?;
        write!(f, "  at:      {}:{}:{}", report.at.file(), report.at.line(), report.at.column())?;
        write!(f, "\n  look at: {}", report.fault)?;
        if let Some(advice) = &report.advice {
            write!(f, "\n  to do:   {}", indented(advice))?;
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\n  because: {}", indented(&error.to_string()))?;
            // One of ours has printed its own causes.
            cause = if error.is::<Self>() { None } else { error.source() };
        }
        for Evidence { title, lines } in &report.evidence {
            write!(f, "\n  {title}:")?;
            for line in lines {
                write!(f, "\n    | {line}")?;
            }
        }
        Ok(())
    }
}

/// Keeps the left column of the block clear of a text's further lines.
fn indented(text: &str) -> String {
    text.replace('\n', "\n           ")
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `.unwrap()` writes its own words before the block; the block starts on a line of its own.
        write!(f, "\n{self}")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<std::io::Error> for Error {
    #[track_caller]
    fn from(error: std::io::Error) -> Self {
        Self::environment("an operation on a file or socket failed").came(error.to_string()).because(error)
    }
}

impl From<serde_json::Error> for Error {
    #[track_caller]
    fn from(error: serde_json::Error) -> Self {
        Self::test("JSON did not have the shape that the test reads").came(error.to_string()).because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Error {
        Error::node("starting l1")
            .expected("an answer to getinfo within 60 s")
            .came("it exited with status 1")
            .advice("read the log;\nthen mend the option")
            .because(std::io::Error::other("broken pipe"))
            .evidence("last lines of l1's log", ["one", "two"])
            .evidence("nearest misses", Vec::<String>::new())
            .with_code(-32601)
    }

    #[test]
    fn the_block_reads_from_the_summary_to_the_evidence() {
        let error = full();
        let at = error.location();
        let expected = format!(
            "starting l1: expected an answer to getinfo within 60 s, but it exited with status 1 (RPC code -32601)\n  \
               at:      {}:{}:{}\n  \
               look at: the node\n  \
               to do:   read the log;\n           then mend the option\n  \
               because: broken pipe\n  \
               last lines of l1's log:\n    | one\n    | two",
            at.file(),
            at.line(),
            at.column()
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn unwrap_prints_the_same_block_on_its_own_lines() {
        let error = full();
        assert_eq!(format!("{error:?}"), format!("\n{error}"));
    }

    #[test]
    fn the_authors_line_is_kept_through_a_question_mark() {
        fn body() -> Result {
            std::fs::read("/nonexistent/leyden")?;
            Ok(())
        }
        let error = body().unwrap_err();
        assert_eq!(error.fault(), Fault::Environment);
        assert!(error.location().file().ends_with("error.rs"), "{error}");
    }

    #[test]
    fn a_cause_below_a_cause_is_printed_once() {
        let error = Error::node("a").because(Error::node("b").because(Error::node("c")));
        let lines: Vec<String> = error.to_string().lines().map(|line| line.trim().to_owned()).collect();
        assert_eq!(lines.iter().filter(|line| *line == "because: c").count(), 1, "{error}");
    }

    #[test]
    fn an_error_that_is_no_answer_has_code_0() {
        assert_eq!(Error::test("x").code(), 0);
        assert_eq!(full().code(), -32601);
    }

    #[test]
    fn a_missing_half_leaves_no_gap_in_the_headline() {
        assert_eq!(Error::test("a").headline(), "a");
        assert_eq!(Error::test("a").expected("b").headline(), "a: expected b");
        assert_eq!(Error::test("a").came("c").headline(), "a: c");
    }
}
