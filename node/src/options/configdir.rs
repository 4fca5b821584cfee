//! The command line and the configuration files (`common/configdir.c`): reading them, and applying what is
//! for the node itself. What it does not know may belong to a plugin, and waits for the manifests.

use super::configvar::{ConfigFile, ConfigVar, Source};
use super::{Action, Instead, Opt, find, ignored, is_for_developers};
use crate::config::Config;
use std::fs;
use std::path::{Path, PathBuf};

/// How deep configuration files may include each other.
const DEEPEST: usize = 100;

/// Sets everything that the command line and the configuration files say.
///
/// # Errors
/// lightningd's text about the first thing that cannot be used, such as `--rescan=x: 'x' is not a number`.
pub fn parse(config: &mut Config, args: &[String]) -> Result<Option<Instead>, String> {
    let given = command_line(args)?;
    for var in &given {
        if let Some(Action::Instead(instead)) = find(&var.name).map(|option| option.action) {
            return Ok(Some(instead));
        }
    }
    // These say where the files are.
    for var in given.iter().filter(|var| matches!(var.name.as_str(), "lightning-dir" | "conf")) {
        apply(config, &mut var.clone())?;
    }
    let mut vars = config_files(config)?;
    vars.extend(given);
    // Options for developers exist behind `--developer`, wherever it stands.
    config.developer |= vars.iter().any(|var| var.name == "developer");
    config.allow_deprecated_apis = !config.developer;
    for var in &mut vars {
        apply(config, var)?;
    }
    config.vars.extend(vars);
    Ok(None)
}

/// Reads the command line: `--name=value`, `--name value`, `--name`.
fn command_line(args: &[String]) -> Result<Vec<ConfigVar>, String> {
    let mut vars = Vec::new();
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        let name = match arg.as_str() {
            "-h" => "help",
            "-V" => "version",
            _ => arg.strip_prefix("--").filter(|name| !name.is_empty()).ok_or("no arguments accepted")?,
        };
        let takes_value = find(name).map(Opt::takes_value).or_else(|| ignored::needs_value(name));
        let next = match takes_value {
            _ if name.contains('=') => None,
            Some(true) => args.next(),
            Some(false) => None,
            // What is not known yet may have a value.
            None => args.next_if(|next| !next.starts_with('-')),
        };
        let line = next.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"));
        vars.push(ConfigVar::new(Source::CommandLine, &line));
    }
    Ok(vars)
}

/// Reads the file of `--conf`, or else those of the lightning-dir and of the network, if they are there.
fn config_files(config: &mut Config) -> Result<Vec<ConfigVar>, String> {
    if let Some(path) = config.conf.clone() {
        return read(config, ConfigFile::Explicit, &path, true, 0);
    }
    let base = config.lightning_dir.join("config");
    let mut vars = read(config, ConfigFile::Base, &base, false, 0)?;
    let network = config.network_dir().join("config");
    vars.extend(read(config, ConfigFile::Network, &network, false, 0)?);
    Ok(vars)
}

/// Reads one file and what it includes.
fn read(
    config: &mut Config,
    which: ConfigFile,
    path: &Path,
    must_exist: bool,
    depth: usize,
) -> Result<Vec<ConfigVar>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(_) if !must_exist => return Ok(Vec::new()),
        Err(error) => return Err(format!("Opening and reading {}: {error}", path.display())),
    };
    if config.setconfig_file.is_none() && path.extension().is_some_and(|end| end == "setconfig") {
        config.setconfig_file = Some(path.to_owned());
    }
    let mut vars = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(included) = line.strip_prefix("include ") {
            if depth > DEEPEST {
                return Err(format!("Include loop with {} and {included}", path.display()));
            }
            let included = path.parent().unwrap_or(Path::new("")).join(included);
            vars.extend(read(config, which, &included, true, depth + 1)?);
        } else if !line.is_empty() && !line.starts_with('#') {
            vars.push(ConfigVar::new(Source::File(which, path.to_owned(), index + 1), line));
        }
    }
    Ok(vars)
}

/// Applies what is for the node itself.
fn apply(config: &mut Config, var: &mut ConfigVar) -> Result<(), String> {
    let (option, ignored) = (find(&var.name), ignored::needs_value(&var.name));
    let is_known = option.is_some() || ignored.is_some();
    if is_known && !option.is_some_and(|option| option.keeps_space) {
        var.trim();
    }
    let refused = if is_known && is_for_developers(&var.name) && !config.developer {
        Some("requires --developer")
    } else {
        misplaced(var)
    };
    if let Some(why) = refused {
        return Err(var.complaint(why));
    }
    let outcome = match (option, ignored, var.value.as_deref()) {
        (Some(option), _, value) => option.set(config, value),
        (None, Some(true), None) => Err("requires an argument".to_owned()),
        (None, Some(false), Some(_)) => Err("doesn't allow an argument".to_owned()),
        // A plugin's, perhaps.
        (None, _, _) => Ok(()),
    };
    outcome.map_err(|why| var.complaint(&why))
}

/// Why an option must not stand where it stands: it says where that is.
fn misplaced(var: &ConfigVar) -> Option<&'static str> {
    match (var.name.as_str(), &var.source) {
        ("conf", Source::File(..)) => Some("not permitted in configuration files"),
        ("lightning-dir", Source::File(ConfigFile::Base | ConfigFile::Network, ..)) => {
            Some("not permitted in implicit configuration files")
        }
        ("network", Source::File(ConfigFile::Network, ..)) => {
            Some("not permitted in network-specific configuration files")
        }
        _ => None,
    }
}

/// The file that `setconfig` adds a line to: that of `--conf`, or that of the network.
pub(crate) fn main_config_file(config: &Config) -> PathBuf {
    config.conf.clone().unwrap_or_else(|| config.network_dir().join("config"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bitcoind;
    use std::net::SocketAddr;
    use std::time::Duration;

    fn bitcoind() -> Bitcoind {
        Bitcoind {
            rpc: SocketAddr::from(([127, 0, 0, 1], 18443)),
            user: String::new(),
            password: String::new(),
        }
    }

    fn parsed(dir: &Path, args: &[&str]) -> Result<Config, String> {
        let mut config = Config::new(dir.to_owned(), Some(bitcoind()));
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        parse(&mut config, &args).map(|_| config)
    }

    fn nowhere(args: &[&str]) -> Result<Config, String> {
        parsed(Path::new("/nowhere"), args)
    }

    #[test]
    fn what_the_node_does_not_know_waits_for_plugins() {
        let args = ["--alias=x", "--rescan", "7", "--limit=3", "--verbose", "--name", "me", "--cltv-delta=6"];
        let config = nowhere(&args).unwrap();
        assert_eq!(config.alias.as_deref(), Some("x"));
        assert_eq!(config.rescan, 7);
        for (name, value) in [("limit", Some("3")), ("verbose", None), ("name", Some("me"))] {
            let given = config.vars.in_force(name, true);
            assert_eq!(given.len(), 1, "{name}");
            assert_eq!(given[0].value.as_deref(), value, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let cases = [
            ("--rescan=x", "--rescan=x: 'x' is not a number"),
            ("--alias", "--alias: requires an argument"),
            ("--developer=1", "--developer=1: doesn't allow an argument"),
            ("--allow-deprecated-apis=1", "--allow-deprecated-apis=1: Invalid argument '1'"),
            ("regtest", "no arguments accepted"),
            ("--cltv-delta", "--cltv-delta: requires an argument"),
            ("--disable-dns=true", "--disable-dns=true: doesn't allow an argument"),
            ("--dev-plugin-startup-timeout=-1", "--dev-plugin-startup-timeout=-1: '-1' is out of range"),
        ];
        for (arg, why) in cases {
            assert_eq!(nowhere(&[arg]).unwrap_err(), why);
        }
    }

    #[test]
    fn options_for_developers_are_for_developers() {
        let mut config = Config::new(PathBuf::from("/nowhere"), Some(bitcoind()));
        config.developer = false;
        let mut with =
            |args: &[&str]| parse(&mut config, &args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        let why = Err("--dev-fast-gossip: requires --developer".to_owned());
        assert_eq!(with(&["--dev-fast-gossip"]), why);
        assert_eq!(with(&["--dev-fast-gossip", "--developer"]), Ok(None));
    }

    #[test]
    fn time_outs_are_seconds_with_decimals() {
        let config =
            nowhere(&["--dev-plugin-startup-timeout=2", "--dev-plugin-shutdown-timeout=0.5"]).unwrap();
        assert_eq!(config.plugin_startup_timeout, Some(Duration::from_secs(2)));
        assert_eq!(config.plugin_shutdown_timeout, Some(Duration::from_millis(500)));
    }

    #[test]
    fn files_come_before_the_command_line_and_may_include_others() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("regtest")).unwrap();
        fs::write(dir.path().join("config"), "# a comment\n\nrescan=3\nnoise=a\n").unwrap();
        fs::write(dir.path().join("regtest/config"), "include more.setconfig\nalias=b \nnoise=c").unwrap();
        fs::write(dir.path().join("regtest/more.setconfig"), "noise=b\n").unwrap();
        let config = parsed(dir.path(), &["--rescan=5", "--noise=d"]).unwrap();
        assert_eq!((config.rescan, config.alias.as_deref()), (5, Some("b ")));
        let noise = config.vars.in_force("noise", true);
        let noise: Vec<String> =
            noise.iter().map(|var| format!("{} {}", var.value.as_deref().unwrap(), var.source)).collect();
        let at = |file: &str| dir.path().join(file).display().to_string();
        let expected = [
            format!("a {}:4", at("config")),
            format!("b {}:1", at("regtest/more.setconfig")),
            format!("c {}:3", at("regtest/config")),
            "d cmdline".to_owned(),
        ];
        assert_eq!(noise, expected);
        assert_eq!(config.setconfig_file, Some(dir.path().join("regtest/more.setconfig")));
    }

    #[test]
    fn conf_replaces_the_other_files_and_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config"), "rescan=3\n").unwrap();
        let conf = dir.path().join("mine");
        let arg = format!("--conf={}", conf.display());
        let why = parsed(dir.path(), &[&arg]).unwrap_err();
        assert!(why.starts_with(&format!("Opening and reading {}: No such file", conf.display())), "{why}");
        fs::write(&conf, "alias=mine\n").unwrap();
        let config = parsed(dir.path(), &[&arg]).unwrap();
        assert_eq!((config.rescan, config.alias.as_deref()), (30, Some("mine")));
    }

    #[test]
    fn a_file_must_not_say_where_files_are() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        fs::write(&file, "alias=x\nlightning-dir=/else\n").unwrap();
        let why = parsed(dir.path(), &[]).unwrap_err();
        let expected = format!(
            "Config file {} line 2: lightning-dir=/else: not permitted in implicit configuration files",
            file.display()
        );
        assert_eq!(why, expected);
    }
}
