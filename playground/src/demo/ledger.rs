//! What was asserted: what, where, what was expected, what was seen; and the table of it.

use std::fmt;

use comfy_table::{ContentArrangement, Table, presets};

/// Wide enough for what is asserted, narrow enough for a CI log.
const TABLE_WIDTH: u16 = 120;

/// The verdict on a row that does not hold.
pub(super) const FAILED: &str = "FAILED";

/// The rows so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    place: String,
    expected: String,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Seen(String),
    Skipped(&'static str),
}

impl Ledger {
    /// Asserts that what was seen is what was expected; the scene goes on either way.
    pub(super) fn same(
        &mut self,
        what: &str,
        place: &str,
        expected: &dyn fmt::Display,
        seen: &dyn fmt::Display,
    ) {
        self.add(what, place, expected.to_string(), Outcome::Seen(seen.to_string()));
    }

    /// Notes what could not be asserted here, and why.
    pub(super) fn skipped(
        &mut self,
        what: &str,
        place: &str,
        expected: &dyn fmt::Display,
        why: &'static str,
    ) {
        self.add(what, place, expected.to_string(), Outcome::Skipped(why));
    }

    fn add(&mut self, what: &str, place: &str, expected: String, outcome: Outcome) {
        self.rows.push(Row { what: what.to_owned(), place: place.to_owned(), expected, outcome });
    }

    /// Whether every row holds. A row that was skipped does.
    pub(super) fn holds(&self) -> bool {
        self.rows.iter().all(Row::holds)
    }

    /// The rows as a table, a row a line where it fits.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_width(TABLE_WIDTH);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["what was asserted", "where", "expected", "seen", "ok"]);
        for row in &self.rows {
            let verdict = if row.holds() { "ok" } else { FAILED };
            let (seen, verdict) = match &row.outcome {
                Outcome::Seen(seen) => (seen.clone(), verdict),
                Outcome::Skipped(why) => (format!("skipped: {why}"), "-"),
            };
            table.add_row([&row.what, &row.place, &row.expected, &seen, verdict]);
        }
        table.trim_fmt()
    }
}

impl Row {
    fn holds(&self) -> bool {
        match &self.outcome {
            Outcome::Seen(seen) => *seen == self.expected,
            Outcome::Skipped(_) => true,
        }
    }
}

/// How many held.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.rows.iter().filter(|row| matches!(row.outcome, Outcome::Skipped(_))).count();
        let failed = self.rows.iter().filter(|row| !row.holds()).count();
        write!(f, "{} of {} held", self.rows.len() - skipped - failed, self.rows.len())?;
        if skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        if failed > 0 { write!(f, ", {failed} {FAILED}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_differs_is_told_apart_from_one_that_was_skipped() {
        let mut ledger = Ledger::default();
        ledger.same("peers", "l1", &2, &2);
        ledger.skipped("python", "l3", &"connect", "no python3");
        assert!(ledger.holds());
        assert_eq!(ledger.to_string(), "1 of 2 held, 1 skipped");
        ledger.same("peers", "l2", &2, &3);
        assert!(!ledger.holds());
        assert_eq!(ledger.to_string(), "1 of 3 held, 1 skipped, 1 FAILED");
        let table = ledger.table();
        let row = |word: &str| table.lines().find(|line| line.contains(word)).unwrap_or_default().to_owned();
        assert!(row("python").contains("skipped: no python3"), "{table}");
        assert!(row("l1").contains("ok") && row("l2").contains("FAILED"), "{table}");
    }
}
