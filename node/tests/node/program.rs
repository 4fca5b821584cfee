//! The program, under the name `lightningd`: what those who start it expect of its files, its signals and its end.

use crate::chain::Chain;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// A plugin that writes down its `init`.
const NOTER: &str = r#"#!/bin/sh
while read -r message; do
    id=${message#*'"id":'}
    id=${id%%,*}
    case $message in
    *'"getmanifest"'*) result='{"options":[],"rpcmethods":[]}' ;;
    *'"init"'*) echo "$message" >init && result='{}' ;;
    *) continue ;;
    esac
    echo '{"jsonrpc":"2.0","id":'"$id"',"result":'"$result"'}'
done
"#;

/// A directory with the program in it, called `lightningd`.
struct Bench {
    dir: TempDir,
    rpc_port: u16,
}

/// A running program. Dropped, it is killed.
struct Lightningd {
    child: Child,
    log: Lines<BufReader<ChildStdout>>,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_leyden-node"), dir.path().join("lightningd")).unwrap();
        Self { dir, rpc_port: Chain::new().serve().await.port() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The option that starts this script as a plugin.
    fn plugin(&self, name: &str, script: &str) -> String {
        let path = self.path(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        format!("--plugin={}", path.display())
    }

    #[expect(clippy::disallowed_methods, reason = "no plugin of a node: the node itself")]
    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(self.path("lightningd"));
        command
            .args(options)
            .arg("--network=regtest")
            .arg(format!("--lightning-dir={}", self.dir.path().display()))
            .arg(format!("--bitcoin-rpcport={}", self.rpc_port))
            .arg("--addr=127.0.0.1:0")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// Runs it to its end: exit code, standard output, standard error.
    fn run(&self, options: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(options).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn start(&self, options: &[&str]) -> Lightningd {
        let mut child = self.command(options).spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lightningd = Lightningd { child, log };
        lightningd.wait_for_log("Server started with public key 0");
        lightningd
    }

    /// The answer to `stop`: behind it the connection ends.
    fn stop(&self) -> String {
        let mut reply = String::new();
        self.call("stop", "[]").read_to_string(&mut reply).unwrap();
        reply
    }

    fn call(&self, method: &str, params: &str) -> UnixStream {
        let mut client = UnixStream::connect(self.path("regtest/lightning-rpc")).unwrap();
        let request = format!(r#"{{"jsonrpc":"2.0","id":"t","method":"{method}","params":{params}}}"#);
        client.write_all(request.as_bytes()).unwrap();
        client
    }

    /// The answer to a call that does not end the node.
    fn answer(&self, method: &str, params: &str) -> String {
        BufReader::new(self.call(method, params)).lines().next().unwrap().unwrap()
    }
}

impl Lightningd {
    /// Reads the log on its standard output up to a line that has this.
    fn wait_for_log(&mut self, text: &str) -> String {
        let line = self.log.by_ref().map(Result::unwrap).find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("the log ended without {text:?}"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// For how long it has worked.
    #[cfg(target_os = "linux")]
    fn hundredths_of_cpu(&self) -> u64 {
        let stat = read(Path::new(&format!("/proc/{}/stat", self.child.id())));
        let (_, fields) = stat.rsplit_once(')').unwrap();
        // The process's name and number are before that.
        fields.split_whitespace().skip(11).take(2).map(|time| time.parse::<u64>().unwrap()).sum()
    }

    fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Lightningd {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One in the background, which is no child of the test. Dropped, it is killed.
struct Daemon(Pid);

impl Daemon {
    fn of(bench: &Bench) -> Self {
        let pid = read(&bench.path("lightningd-regtest.pid")).trim_end().parse().unwrap();
        Self(Pid::from_raw(pid).unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        _ = kill_process(self.0, Signal::KILL);
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_version_is_one_line() {
    let bench = Bench::new().await;
    assert_eq!(bench.run(&["--version"]), (Some(0), "v26.06.6\n".to_owned(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_cannot_do_is_told_on_standard_error_in_lightningds_words() {
    let bench = Bench::new().await;
    for (option, complaint) in [
        ("--nonsense=1", "--nonsense=1: unknown option"),
        ("--rescan=x", "--rescan=x: 'x' is not a number"),
        ("--disable-dns=1", "--disable-dns=1: doesn't allow an argument"),
        ("--dev-fast-gossip", "--dev-fast-gossip: requires --developer"),
        ("--log-file=/nowhere/log", "--log-file=/nowhere/log: Failed to open: No such file or directory"),
    ] {
        let (code, _, stderr) = bench.run(&[option]);
        assert_eq!((code, stderr), (Some(1), format!("lightningd: {complaint}\n")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_files_are_where_others_look_for_them() {
    let bench = Bench::new().await;
    let mut lightningd = bench.start(&[]);
    assert_eq!(fs::read(bench.path("regtest/gossip_store")).unwrap()[0], 16);
    let pid = format!("{}\n", lightningd.child.id());
    assert_eq!(read(&bench.path("lightningd-regtest.pid")), pid);
    if cfg!(target_os = "linux") {
        let proc = PathBuf::from(format!("/proc/{}", lightningd.child.id()));
        assert_eq!(read(&proc.join("comm")), "lightningd\n");
        assert_eq!(fs::read_link(proc.join("cwd")).unwrap(), bench.path("regtest").canonicalize().unwrap());
    }
    let (code, _, stderr) = bench.run(&[]);
    let complaint = "lightningd already running? Error locking PID file: Resource temporarily unavailable";
    assert_eq!((code, stderr), (Some(11), format!("lightningd: {complaint}\n")));

    let answer = r#"{"jsonrpc":"2.0","id":"t","result":{"result":"Shutdown complete"}}"#;
    assert_eq!(bench.stop(), format!("{answer}\n\n"));
    assert_eq!(lightningd.ended().code(), Some(0));
    assert!(!bench.path("lightningd-regtest.pid").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn its_files_may_have_other_names() {
    let bench = Bench::new().await;
    let pid_file = format!("--pid-file={}", bench.path("pid").display());
    let plugin = bench.plugin("noter", NOTER);
    let options = [&*pid_file, "--rpc-file=rpc", "--log-timestamps=false", &*plugin];
    let mut lightningd = bench.start(&options);
    assert_eq!(read(&bench.path("pid")), format!("{}\n", lightningd.child.id()));
    let init = read(&bench.path("regtest/init"));
    assert!(init.contains(r#""rpc-file":"rpc""#), "plugins are told of it: {init}");
    assert!(bench.path("regtest/rpc").exists() && !bench.path("regtest/lightning-rpc").exists());
    lightningd.signal(Signal::TERM);
    let rest: Vec<String> = lightningd.log.by_ref().map(Result::unwrap).collect();
    assert!(rest.iter().all(|line| line.starts_with("DEBUG") || line.starts_with("INFO")), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_kills_it_and_the_next_one_starts_where_it_was() {
    let bench = Bench::new().await;
    let mut lightningd = bench.start(&[]);
    lightningd.signal(Signal::TERM);
    assert_eq!(lightningd.ended().signal(), Some(15));
    let lightningd = bench.start(&[]);
    assert_eq!(read(&bench.path("lightningd-regtest.pid")), format!("{}\n", lightningd.child.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_logs_are_appended_to_and_opened_again_on_sighup() {
    let bench = Bench::new().await;
    let (log, moved) = (bench.path("log"), bench.path("log.1"));
    fs::write(&log, "what was there\n").unwrap();
    let log_file = format!("--log-file={}", log.display());
    // Standard output comes last: what is seen there is in the file.
    let options = [&*log_file, "--log-file=-", "--log-prefix=one ", "--log-level=debug"];
    let mut lightningd = bench.start(&options);
    fs::rename(&log, &moved).unwrap();
    lightningd.signal(Signal::HUP);
    let line = lightningd.wait_for_log("Started log due to SIGHUP");

    let old = read(&moved);
    assert!(old.starts_with("what was there\n\n\n\n\none 2"), "{old}");
    assert!(old.ends_with("lightningd: Ending log due to SIGHUP\n"), "{old}");
    assert_eq!(read(&log), format!("{line}\n"));
    let (time, rest) = line.strip_prefix("one ").unwrap().split_once(' ').unwrap();
    assert_eq!((time.len(), rest), (24, "INFO    lightningd: Started log due to SIGHUP"));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_log_can_have_other_levels_for_some_sources_and_in_some_files() {
    let bench = Bench::new().await;
    let (all, rpc, plugins) = (bench.path("all"), bench.path("rpc"), bench.path("plugins"));
    let files = [&all, &rpc, &plugins].map(|path| format!("--log-file={}", path.display()));
    let of_rpc = format!("--log-level=io:jsonrpc:{}", rpc.display());
    let none_of_others = format!("--log-level=broken:lightningd:{}", rpc.display());
    let of_plugins = format!("--log-level=io:plugin-:{}", plugins.display());
    let plugin = bench.plugin("noter", NOTER);
    let options = [
        &*files[0],
        &*files[1],
        &*files[2],
        &*of_plugins,
        &*plugin,
        "--log-file=-",
        "--log-level=info",
        &*of_rpc,
        &*none_of_others,
        "--log-timestamps=false",
    ];
    let mut lightningd = bench.start(&options);
    bench.stop();
    assert_eq!(lightningd.ended().code(), Some(0));
    let (all, rpc) = (read(&all), read(&rpc));
    assert!(all.contains("INFO    lightningd: Server started") && !all.contains("[IN]"), "{all}");
    let request = hex::encode(r#"{"jsonrpc":"2.0","id":"t","method":"stop","params":[]}"#);
    assert!(rpc.contains(&format!(": [IN] {request}\n")) && rpc.contains(": [OUT] 7b22"), "{rpc}");
    assert!(rpc.contains(": \"t\"[IN] \n"), "{rpc}");
    let plugins = read(&plugins);
    for method in ["getmanifest", "init"] {
        let asked = format!("plugin-noter: \"cln:{method}#");
        let line = plugins.lines().find(|line| line.contains(&asked)).unwrap_or_else(|| panic!("{plugins}"));
        assert!(line.ends_with("\"[OUT] "), "{line}");
    }
    assert!(
        plugins.contains(&format!("plugin-noter: [IN] {}", hex::encode(r#"{"jsonrpc":"2.0""#))),
        "{plugins}"
    );
    assert!(!rpc.contains("lightningd: Server started"), "{rpc}");

    for (option, complaint) in [
        ("--log-level=loud", "--log-level=loud: unknown log level loud"),
        ("--log-level=debug:plugin-:/nowhere", "--log-level: unknown log file /nowhere"),
    ] {
        let (code, _, stderr) = bench.run(&[option]);
        assert_eq!((code, stderr), (Some(1), format!("lightningd: {complaint}\n")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fatal_error_ends_it_with_sigabrt_and_a_crash_log() {
    let bench = Bench::new().await;
    let mut lightningd = bench.start(&["--developer"]);
    let _client = bench.call("dev", r#"["crash"]"#);
    assert_eq!(lightningd.ended().signal(), Some(6));
    let network_dir = fs::read_dir(bench.path("regtest")).unwrap();
    let names = network_dir.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().any(|name| name.starts_with("crash.log.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_daemon_it_is_ready_when_its_parent_returns() {
    let bench = Bench::new().await;
    let (code, _, stderr) = bench.run(&["--daemon"]);
    assert_eq!((code, stderr.trim_end()), (Some(1), "lightningd: --daemon needs --log-file"));

    let log_file = format!("--log-file={}", bench.path("log").display());
    let (code, stdout, stderr) = bench.run(&["--daemon", &log_file]);
    let daemon = Daemon::of(&bench);
    assert_eq!((code, stdout, stderr), (Some(0), String::new(), String::new()));
    assert_eq!(rustix::process::getsid(Some(daemon.0)).unwrap(), daemon.0);
    assert!(read(&bench.path("log")).contains("Server started with public key"));

    let second = bench.run(&["--daemon", &log_file]);
    assert_eq!(second.0, Some(11), "its exit code is that of the daemon: {}", second.2);
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_developers_is_refused_without_developer() {
    let bench = Bench::new().await;
    let secret = format!(r#"["rhash","{}"]"#, "00".repeat(32));
    let mut lightningd = bench.start(&[]);
    let refused =
        |text: &str| format!(r#"{{"jsonrpc":"2.0","id":"t","error":{{"code":-32601,"message":"{text}"}}}}"#);
    assert_eq!(bench.answer("dev", &secret), refused(r#"Command \"dev\" is developer-only"#));
    assert_eq!(bench.answer("help", r#"["dev"]"#), refused("Developer-only command dev"));
    assert_eq!(bench.answer("dev-quiesce", "[]"), refused(r#"Command \"dev-quiesce\" is developer-only"#));
    bench.stop();
    assert_eq!(lightningd.ended().code(), Some(0));

    let _lightningd = bench.start(&["--developer"]);
    let rhash = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
    assert!(bench.answer("dev", &secret).contains(&format!(r#""result":{{"rhash":"{rhash}"}}"#)));
    assert!(bench.answer("dev", r#"{"subcommand":"slowcmd","msec":3}"#).contains(r#""result":{"msec":3}"#));
    assert!(bench.answer("dev", r#"["nap"]"#).contains("Unknown subcommand 'nap'"));
    assert!(bench.answer("dev-memleak", "[]").contains(r#""result":{"leaks":[]}"#));
    let elsewhere = r#"Command \"dev-quiesce\" is not in the embedded node: a real lightningd has it"#;
    assert_eq!(bench.answer("dev-quiesce", "[]"), refused(elsewhere));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_does_not_answer_keeps_it_from_no_rest() {
    let bench = Bench::new().await;
    let method = r#""rpcmethods":[{"name":"ponder","usage":"","description":"-"}]"#;
    let plugin = bench.plugin("thinker", &NOTER.replace(r#""rpcmethods":[]"#, method));
    let lightningd = bench.start(&["--developer", &plugin]);
    let pondering: Vec<UnixStream> = (0..50).map(|_| bench.call("ponder", "[]")).collect();
    bench.answer("getinfo", "[]");
    let before = lightningd.hundredths_of_cpu();
    bench.answer("dev", r#"{"subcommand":"slowcmd","msec":400}"#);
    let spent = lightningd.hundredths_of_cpu() - before;
    assert!(spent < 20, "a node that waits for 400 ms has worked for {spent}0 of them");
    drop(pondering);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_database_may_be_elsewhere() {
    let bench = Bench::new().await;
    let wallet = format!("--wallet=sqlite3://{}", bench.path("elsewhere").display());
    let _lightningd = bench.start(&[&wallet]);
    assert!(bench.path("elsewhere").exists() && !bench.path("regtest/lightningd.sqlite3").exists());
    let (code, _, stderr) = bench.run(&["--wallet=postgres://x"]);
    let complaint = "lightningd: --wallet=postgres://x: only sqlite3:// is there\n";
    assert_eq!((code, &*stderr), (Some(1), complaint));
}
