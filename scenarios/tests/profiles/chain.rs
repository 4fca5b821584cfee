//! The database and the Bitcoin backend.

use crate::four::{Four, told};
use leyden::{Mock, Net, Node, Result};

pub(crate) async fn db_write() -> Result {
    let look = async |_: &Net, node: &Node| {
        let calls = told(node, "backup", "db_write");
        let version = |place: usize| calls[place]["params"]["data_version"].as_u64().unwrap_or_default();
        let writes = |place: usize| calls[place]["params"]["writes"].as_array().map_or(0, Vec::len);
        let lone = (0..calls.len()).filter(|place| writes(*place) == 1).count();
        let repeated = (1..calls.len()).filter(|place| version(*place) == version(place - 1)).count();
        Ok(format!("from {}, {lone} alone, {repeated} repeated", version(0)))
    };
    // v0.10.1 rewrites no table.
    let plain = "from 1, 0 alone, 0 repeated";
    let rewritten = "from 1, 2 alone, 2 repeated";
    Four::new()
        .mount(|| Mock::hook("db_write").named("backup"))
        .look(look, [plain, plain, rewritten, rewritten])
        .await
}
