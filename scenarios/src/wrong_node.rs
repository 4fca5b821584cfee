//! Nodes that are deliberately wrong, for the tests that have to find such a node. None is built wrong: it is stopped, and gets the database
//! that a wrong node would have left behind.

use leyden::backup::DbWrite;
use leyden::event::EventKind;
use leyden::{Net, Node, Replica, Result};

/// How the database of a wrong node differs from that of the embedded node as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// What a transaction caused has left the node, and the transaction was not committed: the last one is not there.
    SendsBeforeItCommits,
    /// This statement was executed as well.
    Executes(&'static str),
}

impl Wrong {
    /// It comes back without the HTLCs of its channels.
    pub const FORGETS_HTLCS: Self = Self::Executes("DELETE FROM channel_htlcs WHERE hstate NOT IN (9, 19)");

    /// What it has passed on and been paid for is there once more.
    pub const SETTLES_TWICE: Self = Self::Executes(
        "INSERT INTO forwards (rowid, in_channel_scid, in_htlc_id, out_channel_scid, out_htlc_id, in_msatoshi, out_msatoshi, state, \
         received_time, resolved_time, failcode, forward_style, updated_index) SELECT rowid + 1000, in_channel_scid, in_htlc_id + 1000, \
         out_channel_scid, out_htlc_id, in_msatoshi, out_msatoshi, state, received_time, resolved_time, failcode, forward_style, \
         updated_index FROM forwards WHERE state = 1",
    );

    /// Gives the database to an embedded node that is down. It is made anew of all that the node has shown to `db_write`.
    ///
    /// # Errors
    /// If the statement is wrong; if files cannot be changed.
    pub fn leave(self, net: &Net, node: &Node) -> Result {
        let database = node.lightning_dir().join("regtest/lightningd.sqlite3");
        let mut kept = committed(net, node)?;
        let last = kept.pop();
        if let (Self::Executes(statement), Some(mut last)) = (self, last) {
            last.writes.push(statement.to_owned());
            kept.push(last);
        }
        let mut replica = Replica::new();
        kept.iter().try_for_each(|write| replica.keep(write))?;
        for ending in ["", "-journal"] {
            let file = database.with_file_name(format!("lightningd.sqlite3{ending}"));
            if file.exists() {
                std::fs::remove_file(file)?;
            }
        }
        replica.save(&database)
    }
}

/// What it has shown and committed.
fn committed(net: &Net, node: &Node) -> Result<Vec<DbWrite>> {
    let events = net.timeline().events();
    let of_node = events.iter().filter(|event| event.node.as_deref() == Some(node.name()));
    let mut shown: Vec<DbWrite> = of_node
        .filter_map(|event| match &event.kind {
            EventKind::DbWrite(write) => Some(write.clone()),
            _ => None,
        })
        .collect();
    let last = node.db_query("SELECT intval FROM vars WHERE name = 'data_version'")?;
    if shown.last().is_some_and(|write| last[0]["intval"] != write.data_version) {
        shown.pop();
    }
    Ok(shown)
}
