//! A real bitcoind: started, mined, paid from, reorganised, ended.

use std::path::Path;
use std::sync::Arc;

use bitcoin::Txid;
use leyden::env::Settings;
use leyden::process::{Marker, Watchdog};
use leyden::run_dir::RunDir;
use leyden::{Bitcoind, Fault, Result};
use serde_json::{Value, json};

/// Somebody else's address on regtest.
const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

struct Bench {
    bitcoind: Bitcoind,
    watchdog: Arc<Watchdog>,
    run_dir: RunDir,
}

impl Bench {
    async fn new() -> Result<Self> {
        let settings = Settings::from_env();
        let run_dir = RunDir::create(&settings)?;
        let watchdog = Arc::new(Watchdog::start(Marker::new(&run_dir.name()))?);
        let bitcoind = Bitcoind::start(&settings, &run_dir.sub_dir("bitcoind")?, &watchdog).await?;
        Ok(Self { bitcoind, watchdog, run_dir })
    }

    fn finish(self) -> Result {
        drop(self.bitcoind);
        assert_eq!(self.watchdog.orphans(), []);
        drop(self.watchdog);
        self.run_dir.remove()
    }
}

async fn confirmations(bitcoind: &Bitcoind, txid: Txid, output: u32) -> Result<Value> {
    Ok(bitcoind.rpc("gettxout", json!([txid, output])).await?["confirmations"].take())
}

#[tokio::test]
async fn it_starts_with_a_coin_to_spend_and_pays_several_times_before_a_block() -> Result {
    let bench = Bench::new().await?;
    let bitcoind = &bench.bitcoind;
    assert_eq!(bitcoind.block_count().await?, 101);

    // Two mature coinbases of 50 bitcoin: the third payment spends change that is not in a block.
    let txids = [bitcoind.send_to(ADDRESS, 100_000).await?, bitcoind.send_to(ADDRESS, 2_000_000_000).await?];
    let last = bitcoind.send_to(ADDRESS, 546).await?;
    let hashes = bitcoind.generate_block(1).wait_for_mempool(3).await?;
    assert_eq!(hashes, [bitcoind.best_block_hash().await?]);
    for txid in txids.into_iter().chain([last]) {
        assert_eq!(confirmations(bitcoind, txid, 0).await?, 1);
    }
    let output = bitcoind.rpc("gettxout", json!([txids[0], 0])).await?;
    assert_eq!((&output["value"], &output["scriptPubKey"]["address"]), (&json!(0.001), &json!(ADDRESS)));
    bench.finish()
}

#[tokio::test]
async fn payments_at_the_same_time_do_not_spend_the_same_coin() -> Result {
    let bench = Bench::new().await?;
    let bitcoind = &bench.bitcoind;
    let (one, two) = tokio::join!(bitcoind.send_to(ADDRESS, 10_000), bitcoind.send_to(ADDRESS, 20_000));
    bitcoind.generate_block(1).wait_for_mempool(vec![one?, two?]).await?;
    assert_eq!(bitcoind.block_count().await?, 102);
    bench.finish()
}

#[tokio::test]
async fn more_than_there_is_cannot_be_paid_and_the_error_says_how_much_there_is() -> Result {
    let bench = Bench::new().await?;
    let error = bench.bitcoind.send_to(ADDRESS, 20_000_000_000).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Test);
    assert!(error.headline().ends_with("but there are 10000000000 sat"), "{error}");
    assert_eq!(error.location().file(), file!());
    bench.finish()
}

#[tokio::test]
async fn a_reorganisation_mines_a_transaction_again_one_block_later() -> Result {
    let bench = Bench::new().await?;
    let bitcoind = &bench.bitcoind;
    let txid = bitcoind.send_to(ADDRESS, 100_000).await?;
    bitcoind.generate_block(1).wait_for_mempool(txid).await?;
    bitcoind.generate_block(2).await?;
    let old = bitcoind.rpc("getblockhash", json!([102])).await?;

    let hashes = bitcoind.simple_reorg(102, 1).await?;
    assert_eq!((hashes.len(), bitcoind.block_count().await?), (4, 105), "one longer than before");
    assert_ne!(bitcoind.rpc("getblockhash", json!([102])).await?, old);
    let block = bitcoind.rpc("getblock", json!([hashes[1]])).await?;
    assert_eq!(block["height"], 103);
    assert!(block["tx"].as_array().unwrap().contains(&json!(txid)), "{block}");
    assert_eq!(confirmations(bitcoind, txid, 0).await?, 3);

    bitcoind.simple_reorg(103, 0).await?;
    assert_eq!(bitcoind.block_count().await?, 106);
    bitcoind.send_to(ADDRESS, 100_000).await?;
    bench.finish()
}

#[tokio::test]
async fn an_rpc_that_fails_gives_bitcoinds_code_and_the_authors_line() -> Result {
    let bench = Bench::new().await?;
    let line = line!() + 1;
    let error = bench.bitcoind.rpc("getblockhash", json!([5000])).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), (-8, Fault::Test));
    assert_eq!((error.location().file(), error.location().line()), (file!(), line));
    assert!(error.headline().contains("\"Block height out of range\""), "{error}");
    assert_eq!(bench.bitcoind.rpc("nosuchmethod", Value::Null).await.unwrap_err().code(), -32601);
    bench.finish()
}

#[tokio::test]
async fn a_wait_for_the_mempool_that_is_in_vain_says_what_is_there() -> Result {
    let bench = Bench::new().await?;
    let txid = bench.bitcoind.send_to(ADDRESS, 100_000).await?;
    let settings = Settings::from_lookup(|name| (name == "TIMEOUT").then(|| "1".into()));
    assert_eq!(settings.timeout.as_secs(), 1);
    let look = || async {
        let mempool = bench.bitcoind.rpc("getrawmempool", Value::Null).await?;
        Ok::<_, leyden::Error>(leyden::seen(mempool, |mempool| {
            mempool.as_array().is_some_and(|txs| txs.len() >= 2)
        }))
    };
    let wait =
        leyden::eventually("two transactions are known", look).until(leyden::Deadline::standard(&settings));
    let error = wait.await.unwrap_err();
    assert!(error.headline().contains(&txid.to_string()), "{error}");
    bench.finish()
}

#[tokio::test]
async fn when_bitcoind_has_died_an_rpc_shows_the_end_of_its_log() -> Result {
    let bench = Bench::new().await?;
    let pid = rustix::process::Pid::from_raw(bench.bitcoind.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).map_err(std::io::Error::from)?;
    let error = leyden::eventually("bitcoind answers", || async {
        bench.bitcoind.block_count().await.map(|height| leyden::seen(height, |_| false))
    })
    .await
    .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("bitcoind: expected it to be running, but it has ended"), "{text}");
    bench.finish()
}

#[tokio::test]
async fn a_bitcoind_that_does_not_start_shows_what_it_said() -> Result {
    let dir = tempfile::tempdir()?;
    let fake = dir.path().join("bitcoind");
    let text = "#!/bin/sh\necho 'Error: no such option' >&2\nexit 1\n";
    std::fs::write(&fake, text)?;
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let began = std::time::Instant::now();
    let error = start(&fake, dir.path()).await.unwrap_err();
    assert!(began.elapsed().as_secs() < 10, "its death is noticed at once");
    assert_eq!(error.headline(), "starting bitcoind: expected an answer of its RPC, but none came");
    assert!(error.to_string().ends_with("its standard error:\n    | Error: no such option"), "{error}");
    assert_eq!(error.fault(), Fault::Environment);
    Ok(())
}

async fn start(program: &Path, dir: &Path) -> Result<Bitcoind> {
    let program = program.as_os_str().to_owned();
    let settings = Settings::from_lookup(|name| (name == "BITCOIND_EXE").then(|| program.clone()));
    let watchdog = Arc::new(Watchdog::start(Marker::new("leyden-start"))?);
    Bitcoind::start(&settings, &dir.join("data"), &watchdog).await
}
