//! lightningd's command line (`lightningd/options.c`): which options there are, and what they set.
//!
//! Options are `--name=value` or `--name value`. What is neither in `OPTIONS` nor in [`ignored`] belongs to plugins.

mod ignored;

use crate::config::{Config, PluginChoice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// An option of the node itself.
struct Opt {
    name: &'static str,
    about: &'static str,
    set: Set,
}

/// What an option does.
enum Set {
    /// It needs a value.
    Value(fn(&mut Config, &str) -> Result<(), String>),
    /// It may stand alone or with a boolean.
    Switch(fn(&mut Config, bool)),
    /// It prints something instead of starting a node.
    Instead(Instead),
}

/// What is asked for instead of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

const OPTIONS: &[Opt] = &[
    Opt { name: "lightning-dir", about: "the directory of the node", set: Set::Value(lightning_dir) },
    Opt { name: "network", about: "regtest, the only network there is", set: Set::Value(network) },
    Opt {
        name: "release-profile",
        about: "the release to be: manual, v0.10, v23.02, v26.06",
        set: Set::Value(profile),
    },
    Opt { name: "alias", about: "the name of the node", set: Set::Value(alias) },
    Opt { name: "addr", about: "where to take peers: 127.0.0.1:9735; port 0 is any", set: Set::Value(addr) },
    Opt { name: "bitcoin-rpcconnect", about: "the address of bitcoind", set: Set::Value(bitcoin_rpcconnect) },
    Opt { name: "bitcoin-rpcport", about: "the RPC port of bitcoind", set: Set::Value(bitcoin_rpcport) },
    Opt { name: "bitcoin-rpcuser", about: "the user for bitcoind", set: Set::Value(bitcoin_rpcuser) },
    Opt {
        name: "bitcoin-rpcpassword",
        about: "the password for bitcoind",
        set: Set::Value(bitcoin_rpcpassword),
    },
    Opt { name: "dev-bitcoind-poll", about: "seconds between looks for a new block", set: Set::Value(poll) },
    Opt {
        name: "dev-plugin-startup-timeout",
        about: "seconds for a plugin to answer getmanifest, and again init",
        set: Set::Value(plugin_startup_timeout),
    },
    Opt {
        name: "dev-plugin-shutdown-timeout",
        about: "seconds for plugins to exit once they are told",
        set: Set::Value(plugin_shutdown_timeout),
    },
    Opt { name: "rescan", about: "how many known blocks to look at again", set: Set::Value(rescan) },
    Opt { name: "plugin", about: "run this plugin", set: Set::Value(plugin) },
    Opt {
        name: "important-plugin",
        about: "run this plugin, and end with it",
        set: Set::Value(important_plugin),
    },
    Opt { name: "plugin-dir", about: "run the plugins in this directory", set: Set::Value(plugin_dir) },
    Opt {
        name: "disable-plugin",
        about: "do not run the plugin with this name or path",
        set: Set::Value(disable_plugin),
    },
    Opt {
        name: "clear-plugins",
        about: "run none of the plugins named so far",
        set: Set::Switch(clear_plugins),
    },
    Opt {
        name: "dev-no-plugin-checksum",
        about: "do not look whether the file of a plugin has changed",
        set: Set::Switch(no_plugin_checksum),
    },
    Opt { name: "log-level", about: "io, trace, debug, info, unusual or broken", set: Set::Value(log_level) },
    Opt { name: "log-prefix", about: "stands before every line of the log", set: Set::Value(log_prefix) },
    Opt {
        name: "log-file",
        about: "append the log to this file; - is standard output",
        set: Set::Value(log_file),
    },
    Opt { name: "allow-deprecated-apis", about: "tell plugins so", set: Set::Switch(allow_deprecated_apis) },
    Opt { name: "developer", about: "start plugins with --developer", set: Set::Switch(developer) },
    Opt {
        name: "dev-allow-localhost",
        about: "believe peers that say that this node is on loopback",
        set: Set::Switch(allow_localhost),
    },
    Opt { name: "help", about: "print this", set: Set::Instead(Instead::Help) },
    Opt { name: "version", about: "print the version", set: Set::Instead(Instead::Version) },
];

fn lightning_dir(config: &mut Config, value: &str) -> Result<(), String> {
    config.lightning_dir = std::path::absolute(value).map_err(|error| error.to_string())?;
    Ok(())
}

fn network(_: &mut Config, value: &str) -> Result<(), String> {
    if value == "regtest" { Ok(()) } else { Err("only regtest is there".to_owned()) }
}

fn profile(config: &mut Config, value: &str) -> Result<(), String> {
    config.profile =
        value.parse().map_err(|error: leyden_protocol::profile::UnknownProfile| error.to_string())?;
    Ok(())
}

fn alias(config: &mut Config, value: &str) -> Result<(), String> {
    config.alias = Some(value.to_owned());
    Ok(())
}

fn addr(config: &mut Config, value: &str) -> Result<(), String> {
    let address: SocketAddr =
        value.parse().map_err(|_| format!("'{value}' is not an address with a port"))?;
    config.addr = Some(address);
    Ok(())
}

fn bitcoin_rpcconnect(config: &mut Config, value: &str) -> Result<(), String> {
    let ip = if value == "localhost" { Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { value.parse() };
    config.bitcoind.rpc.set_ip(ip.map_err(|_| format!("'{value}' is not a numeric address"))?);
    Ok(())
}

fn bitcoin_rpcport(config: &mut Config, value: &str) -> Result<(), String> {
    config.bitcoind.rpc.set_port(number(value)?);
    Ok(())
}

fn bitcoin_rpcuser(config: &mut Config, value: &str) -> Result<(), String> {
    value.clone_into(&mut config.bitcoind.user);
    Ok(())
}

fn bitcoin_rpcpassword(config: &mut Config, value: &str) -> Result<(), String> {
    value.clone_into(&mut config.bitcoind.password);
    Ok(())
}

fn poll(config: &mut Config, value: &str) -> Result<(), String> {
    config.bitcoind.poll = Duration::from_secs(number(value)?);
    Ok(())
}

fn plugin_startup_timeout(config: &mut Config, value: &str) -> Result<(), String> {
    config.plugin_startup_timeout = Some(seconds(value)?);
    Ok(())
}

fn plugin_shutdown_timeout(config: &mut Config, value: &str) -> Result<(), String> {
    config.plugin_shutdown_timeout = Some(seconds(value)?);
    Ok(())
}

fn rescan(config: &mut Config, value: &str) -> Result<(), String> {
    config.rescan = number(value)?;
    Ok(())
}

fn plugin(config: &mut Config, value: &str) -> Result<(), String> {
    config.plugins.push(PluginChoice::Register { path: PathBuf::from(value), important: false });
    Ok(())
}

fn important_plugin(config: &mut Config, value: &str) -> Result<(), String> {
    config.plugins.push(PluginChoice::Register { path: PathBuf::from(value), important: true });
    Ok(())
}

fn plugin_dir(config: &mut Config, value: &str) -> Result<(), String> {
    config.plugins.push(PluginChoice::Directory(PathBuf::from(value)));
    Ok(())
}

fn disable_plugin(config: &mut Config, value: &str) -> Result<(), String> {
    config.plugins.push(PluginChoice::Disable(value.to_owned()));
    Ok(())
}

fn clear_plugins(config: &mut Config, clear: bool) {
    if clear {
        config.plugins.push(PluginChoice::Clear);
    }
}

fn no_plugin_checksum(config: &mut Config, disable: bool) {
    config.plugin_checksum = !disable;
}

fn log_level(config: &mut Config, value: &str) -> Result<(), String> {
    config.log_level = value.parse()?;
    Ok(())
}

fn log_prefix(config: &mut Config, value: &str) -> Result<(), String> {
    value.clone_into(&mut config.log_prefix);
    Ok(())
}

fn log_file(config: &mut Config, value: &str) -> Result<(), String> {
    config.log_files.push(PathBuf::from(value));
    Ok(())
}

fn allow_deprecated_apis(config: &mut Config, value: bool) {
    config.allow_deprecated_apis = value;
}

fn developer(config: &mut Config, value: bool) {
    config.developer = value;
}

fn allow_localhost(config: &mut Config, value: bool) {
    config.allow_localhost = value;
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("'{value}' is not a number"))
}

/// Seconds, with decimals if need be.
fn seconds(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().map_err(|_| format!("'{value}' is not a number"))?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("'{value}' is out of range"))
}

/// Whether the node itself has the option `name`.
pub(crate) fn is_builtin(name: &str) -> bool {
    OPTIONS.iter().any(|option| option.name == name) || ignored::is_lightningds(name)
}

/// Whether it does no harm that nobody has declared the option `name`.
pub(crate) fn is_ignored(name: &str) -> bool {
    ignored::needs_value(name).is_some()
}

/// Sets everything that the command line says.
///
/// # Errors
/// `--<option>: <why>` for the first argument that cannot be used.
pub fn parse(config: &mut Config, args: &[String]) -> Result<Option<Instead>, String> {
    // The options for developers exist behind --developer, wherever it stands.
    let developer = config.developer || args.iter().any(|arg| arg == "--developer");
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        let name = arg.strip_prefix("--").ok_or_else(|| format!("{arg}: no arguments permitted"))?;
        let (name, inline) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        let option = OPTIONS.iter().find(|option| option.name == name);
        let ignored = ignored::needs_value(name);
        let takes_next = match option.map(|option| &option.set) {
            Some(Set::Switch(_) | Set::Instead(_)) => false,
            Some(Set::Value(_)) => true,
            None => ignored != Some(false),
        };
        let next =
            if inline.is_none() && takes_next { args.next_if(|arg| !arg.starts_with("--")) } else { None };
        let value = inline.or(next.map(String::as_str));
        let complain = |why: String| match value {
            Some(value) => format!("--{name}={value}: {why}"),
            None => format!("--{name}: {why}"),
        };
        if name.starts_with("dev-") && !developer && (option.is_some() || ignored.is_some()) {
            return Err(complain("requires --developer".to_owned()));
        }
        match option.map(|option| &option.set) {
            None if ignored == Some(true) && value.is_none() => {
                return Err(complain("requires an argument".to_owned()));
            }
            None if ignored == Some(false) && value.is_some() => {
                return Err(complain("doesn't allow an argument".to_owned()));
            }
            None if ignored.is_some() && ignored::is_lightningds(name) => {}
            None => config.plugin_options.push((name.to_owned(), value.map(str::to_owned))),
            Some(Set::Instead(instead)) => return Ok(Some(*instead)),
            Some(Set::Switch(set)) => match value.map(str::parse::<bool>) {
                None => set(config, true),
                Some(Ok(on)) => set(config, on),
                Some(Err(_)) => return Err(complain("true or false was expected".to_owned())),
            },
            Some(Set::Value(set)) => {
                let value = value.ok_or_else(|| complain("requires an argument".to_owned()))?;
                set(config, value).map_err(complain)?;
            }
        }
    }
    Ok(None)
}

/// What `--help` prints.
#[must_use]
pub fn help() -> String {
    let line = |option: &Opt| format!("--{:<24} {}\n", option.name, option.about);
    let options: String = OPTIONS.iter().map(line).collect();
    format!(
        "A lightningd-compatible node on regtest.\n\n{options}\nOther options are those of its plugins.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bitcoind;

    fn parsed(args: &[&str]) -> Result<Config, String> {
        let bitcoind = Bitcoind {
            rpc: SocketAddr::from(([127, 0, 0, 1], 18443)),
            user: String::new(),
            password: String::new(),
            poll: Duration::from_secs(30),
        };
        let mut config = Config::new(PathBuf::from("/nowhere"), bitcoind);
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        parse(&mut config, &args).map(|_| config)
    }

    #[test]
    fn what_the_node_does_not_know_belongs_to_plugins() {
        let config =
            parsed(&["--alias=x", "--rescan", "7", "--limit=3", "--verbose", "--name", "me"]).unwrap();
        assert_eq!(config.alias.as_deref(), Some("x"));
        assert_eq!(config.rescan, 7);
        let expected = [("limit", Some("3")), ("verbose", None), ("name", Some("me"))];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(config.plugin_options, expected);
    }

    #[test]
    fn what_lightningd_would_do_and_the_node_does_not_is_accepted_in_lightningds_grammar() {
        let config =
            parsed(&["--cltv-delta=6", "--disable-dns", "--dev-fast-gossip", "--funder-policy", "match"]);
        let expected = [("funder-policy".to_owned(), Some("match".to_owned()))];
        assert_eq!(config.unwrap().plugin_options, expected, "a plugin in the place of funder may have it");
        assert_eq!(parsed(&["--cltv-delta"]).unwrap_err(), "--cltv-delta: requires an argument");
        assert_eq!(
            parsed(&["--disable-dns=true"]).unwrap_err(),
            "--disable-dns=true: doesn't allow an argument"
        );
    }

    #[test]
    fn time_outs_are_seconds_with_decimals() {
        let config =
            parsed(&["--dev-plugin-startup-timeout=2", "--dev-plugin-shutdown-timeout=0.5"]).unwrap();
        assert_eq!(config.plugin_startup_timeout, Some(Duration::from_secs(2)));
        assert_eq!(config.plugin_shutdown_timeout, Some(Duration::from_millis(500)));
        let why = "--dev-plugin-startup-timeout=-1: '-1' is out of range";
        assert_eq!(parsed(&["--dev-plugin-startup-timeout=-1"]).unwrap_err(), why);
    }

    #[test]
    fn a_wrong_value_is_named() {
        assert_eq!(parsed(&["--rescan=x"]).unwrap_err(), "--rescan=x: 'x' is not a number");
        assert_eq!(parsed(&["--alias"]).unwrap_err(), "--alias: requires an argument");
        assert_eq!(parsed(&["regtest"]).unwrap_err(), "regtest: no arguments permitted");
    }
}
