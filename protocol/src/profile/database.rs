//! What releases differ in about the database and the secret, as plugins with `db_write` see it.

use super::Profile;

impl Profile {
    /// The schema version that is written into the table `version` (`wallet/db.c:dbmigrations`).
    #[must_use]
    pub const fn schema_version(self) -> i64 {
        match self {
            Self::Manual | Self::V0_10 => 176,
            Self::V23_02 => 216,
            Self::V26_06 => 282,
        }
    }

    /// Whether making a database rewrites a table, between two lone pragmas that repeat the `data_version`.
    #[must_use]
    pub const fn rewrites_a_table(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// What is quoted of an answer to `db_write` that ends the node, of everything that is unread from it on.
    #[must_use]
    pub const fn quoted_db_write_answer<'a>(self, answer: &'a str, unread: &'a str) -> &'a str {
        match self {
            Self::Manual | Self::V0_10 => unread,
            Self::V23_02 | Self::V26_06 => answer,
        }
    }

    /// Whether the database has the node's id.
    #[must_use]
    pub const fn stores_node_id(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether every start marks the invoices whose time is over, in a transaction of its own.
    #[must_use]
    pub const fn expires_invoices_at_start(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// Whether what is created, updated and deleted is counted (`lightningd/wait.c`).
    #[must_use]
    pub const fn counts_changes(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether the database lists the addresses that were given out.
    #[must_use]
    pub const fn lists_addresses(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether a new `hsm_secret` is a mnemonic. Before v25.12 it was 32 bytes.
    #[must_use]
    pub const fn secret_is_mnemonic(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether the first block of a run takes two transactions: one that forgets what is behind it, and one that
    /// notes it.
    #[must_use]
    pub const fn first_block_takes_two_transactions(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// Whether the first start notes that no old blocks need another look.
    #[must_use]
    pub const fn notes_block_scan(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether every start forgets the HTLCs of channels that are closed.
    #[must_use]
    pub const fn forgets_settled_htlcs(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether outputs that were spent long ago are forgotten with each block. If not, a transaction of its own forgets
    /// them once all blocks are there.
    #[must_use]
    pub const fn prunes_outputs_with_each_block(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// Whether the first start notes that no channel was closed to an address that it did not watch.
    #[must_use]
    pub const fn notes_unwatched_closes(self) -> bool {
        matches!(self, Self::V26_06)
    }
}
