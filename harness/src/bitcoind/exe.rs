//! Which bitcoind is used: named, installed, cached or fetched, in this order.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::cache::{Cache, Source};
use super::debian::Knots;
use super::official::Release;
use crate::env::{Settings, sibling_cli};
use crate::error::{Error, Result};

/// The programs of a Bitcoin node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The daemon.
    pub bitcoind: PathBuf,
    /// The client, which a real lightningd calls.
    pub bitcoin_cli: Option<PathBuf>,
}

/// Finds bitcoind: `BITCOIND_EXE`; on `PATH`; in Leyden's cache; otherwise it is fetched once into the cache, with a progress bar
/// on standard error: the official release, checked by its SHA-256, or Debian's package of Bitcoin Knots.
///
/// # Errors
/// If there is none and none can be fetched: the error names all that was tried.
pub async fn find(settings: &Settings) -> Result<Programs> {
    if let Some(bitcoind) = &settings.bitcoind {
        if !bitcoind.is_file() {
            return Err(Error::environment("looking for bitcoind")
                .came(format!("there is none at {}", bitcoind.display()))
                .advice("set BITCOIND_EXE to a bitcoind, or unset it: then one is looked for, or fetched"));
        }
        return Ok(Programs { bitcoind: bitcoind.clone(), bitcoin_cli: settings.bitcoin_cli.clone() });
    }
    let Some(cache_dir) = &settings.cache_dir else {
        return Err(Error::environment("looking for bitcoind")
            .came("there is none on PATH, and no directory to fetch one into")
            .advice("set HOME or LEYDEN_CACHE_DIR, or BITCOIND_EXE to a bitcoind")
            .evidence("the environment", settings.to_string().lines()));
    };
    let cache = Cache::new(cache_dir);
    let (sender, fetched) = oneshot::channel();
    // Not the runtime's own threads: it would wait for a fetch that nobody wants any more.
    std::thread::spawn(move || {
        let (release, knots) = (Release::for_this_machine(), Knots);
        let mut sources: Vec<&dyn Source> = Vec::new();
        sources.extend(release.as_ref().map(|release| release as &dyn Source));
        sources.push(&knots);
        drop(sender.send(cache.get_or_fetch(&sources)));
    });
    let bitcoind = fetched.await.map_err(|_| {
        Error::environment("fetching bitcoind").came("the thread that fetches has panicked")
    })??;
    Ok(Programs { bitcoin_cli: sibling_cli(&bitcoind), bitcoind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bitcoind_that_is_not_where_it_was_said_to_be_is_one_clear_error() {
        let settings = Settings::from_lookup(|name| (name == "BITCOIND_EXE").then(|| "/no/bitcoind".into()));
        let error = find(&settings).await.unwrap_err().to_string();
        assert!(error.contains("there is none at /no/bitcoind"), "{error}");
        assert!(error.contains("BITCOIND_EXE"), "{error}");
    }
}
