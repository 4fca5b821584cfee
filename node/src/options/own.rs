//! The node's own options, and what each of them sets (`lightningd/options.c:register_opts`).

use super::{Instead, Opt, Shape};
use crate::config::{Config, LogFilter, PluginChoice};
use leyden_bolt::recovery;
use leyden_protocol::option::boolean;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Those before the options of channels, in the order in which `listconfigs` and `--help` have them.
pub(crate) const FIRST: &[Opt] = &[
    Opt::flag("developer", "have options for developers; start plugins with --developer", |config| {
        config.developer = true;
    }),
    Opt::value("conf", "read this configuration file instead of the default ones", Shape::Text, conf),
    Opt::value("lightning-dir", "the directory of the node", Shape::Text, lightning_dir)
        .shown(|config| Some(config.lightning_dir.display().to_string())),
    Opt::value("network", "regtest, the only network there is", Shape::Text, network)
        .shown(|_| Some("regtest".to_owned())),
    Opt::flag("regtest", "the network, once more", |_| {}),
    Opt::value("release-profile", "the release to be: manual, v0.10, v23.02, v26.06", Shape::Text, profile)
        .shown(|config| Some(config.profile.to_string())),
    Opt::instead("version", "print the version", Instead::Version),
    Opt::value("rpc-file", "the Unix socket for commands", Shape::Text, |config, value| {
        config.rpc_file = PathBuf::from(value);
        Ok(())
    })
    .shown(|config| Some(config.rpc_file.display().to_string())),
    Opt::value("allow-deprecated-apis", "allow what is deprecated", Shape::Bool, |config, value| {
        config.allow_deprecated_apis = boolean(value)?;
        Ok(())
    })
    .shown(|config| Some(config.allow_deprecated_apis.to_string())),
    Opt::value("plugin", "run this plugin", Shape::Text, plugin).multi(),
    Opt::value("plugin-dir", "run the plugins in this directory", Shape::Text, plugin_dir).multi(),
    Opt::flag("clear-plugins", "run none of the plugins named so far", |config| {
        config.plugins.push(PluginChoice::Clear);
    }),
    Opt::value("disable-plugin", "do not run the plugin with this name or path", Shape::Text, disable_plugin)
        .multi(),
    Opt::value("important-plugin", "run this plugin, and end with it", Shape::Text, important_plugin).multi(),
    Opt::value("always-use-proxy", "tell plugins so", Shape::Bool, |config, value| {
        config.always_use_proxy = boolean(value)?;
        Ok(())
    })
    .shown(|config| Some(config.always_use_proxy.to_string())),
    Opt::flag("daemon", "run in the background; return when ready", |config| config.daemon = true),
    Opt::value("wallet", "the database: sqlite3:// and its path", Shape::Text, wallet),
    Opt::value("recover", "the secret of a lost node: codex32, hex or a mnemonic", Shape::Text, recover),
    Opt::flag("help", "print this", |config| config.help = true),
    Opt::value("rgb", "the colour of the node: six hex digits", Shape::Text, rgb),
    Opt::value("alias", "the name of the node", Shape::Text, alias).keeps_space(),
    Opt::value("pid-file", "the file for the process id", Shape::Text, |config, value| {
        config.pid_file = Some(PathBuf::from(value));
        Ok(())
    })
    .shown(|config| config.pid_file.as_ref().map(|path| path.display().to_string())),
];

/// Those behind the options of channels, in the same order.
pub(crate) const REST: &[Opt] = &[
    Opt::value(
        "addr",
        "where to take peers, and to be found: 127.0.0.1:9735",
        Shape::Text,
        |config, value| {
            config.announces_addr = true;
            addr(config, value)
        },
    )
    .multi(),
    Opt::value("bind-addr", "where to take peers: 127.0.0.1:9735; port 0 is any", Shape::Text, addr).multi(),
    Opt::flag("offline", "take no peers", |config| config.addr = None),
    Opt::value("proxy", "tell plugins of this proxy: address or address:port", Shape::Text, proxy),
    Opt::value(
        "i-promise-to-fix-broken-api-user",
        "allow this feature, although it is to be removed",
        Shape::Text,
        |config, value| {
            config.begged.push(value.to_owned());
            Ok(())
        },
    )
    .multi(),
    Opt::value(
        "accept-htlc-tlv-type",
        "take payloads with this even type, which plugins know",
        Shape::Int,
        |config, value| {
            config.accept_htlc_tlv_types.push(number(value)?);
            Ok(())
        },
    )
    .multi(),
    Opt::value(
        "log-level",
        "io, trace, debug, info, unusual or broken; :source[:file] behind it is about some lines only",
        Shape::Text,
        log_level,
    )
    .shown(|config| Some(config.log_level.name().to_owned())),
    Opt::value(
        "log-timestamps",
        "begin every line of the log with its time",
        Shape::Bool,
        |config, value| {
            config.log_timestamps = boolean(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.log_timestamps.to_string())),
    Opt::value("log-prefix", "stands before every line of the log", Shape::Text, log_prefix).keeps_space(),
    Opt::value("log-file", "append the log to this file; - is standard output", Shape::Text, log_file)
        .multi(),
    Opt::value(
        "dev-debugger",
        "let plugins with this name wait for a debugger",
        Shape::Text,
        |config, value| {
            config.debugged = Some(value.to_owned());
            Ok(())
        },
    ),
    Opt::flag("dev-no-plugin-checksum", "do not look whether the file of a plugin has changed", |config| {
        config.plugin_checksum = false;
    }),
    Opt::flag("dev-allow-localhost", "believe peers that say that this node is on loopback", |config| {
        config.allow_localhost = true;
    }),
    Opt::value("dev-bitcoind-poll", "seconds between looks for a new block", Shape::Int, poll)
        .shown(|config| Some(config.bitcoind_poll.as_secs_f64().to_string())),
    Opt::value(
        "dev-plugin-startup-timeout",
        "seconds for a plugin to answer getmanifest, and again init",
        Shape::Text,
        |config, value| {
            config.plugin_startup_timeout = Some(seconds(value)?);
            Ok(())
        },
    ),
    Opt::value(
        "dev-plugin-shutdown-timeout",
        "seconds for plugins to exit once they are told",
        Shape::Text,
        |config, value| {
            config.plugin_shutdown_timeout = Some(seconds(value)?);
            Ok(())
        },
    ),
    Opt::value(
        "dev-plugin-timeout-divisor",
        "give plugins so many times less time than this release does",
        Shape::Int,
        |config, value| {
            config.plugin_timeout_divisor = number(value)?;
            Ok(())
        },
    ),
    Opt::value("bitcoin-rpcconnect", "the address of bitcoind", Shape::Text, bitcoin_rpcconnect),
    Opt::value("bitcoin-rpcport", "the RPC port of bitcoind", Shape::Int, bitcoin_rpcport)
        .shown(|config| Some(config.bitcoind.as_ref()?.rpc.port().to_string())),
    Opt::value("bitcoin-rpcuser", "the user for bitcoind", Shape::Text, bitcoin_rpcuser),
    Opt::value("bitcoin-rpcpassword", "the password for bitcoind", Shape::Text, bitcoin_rpcpassword),
];

fn conf(config: &mut Config, value: &str) -> Result<(), String> {
    config.conf = Some(absolute(value)?);
    Ok(())
}

fn lightning_dir(config: &mut Config, value: &str) -> Result<(), String> {
    config.lightning_dir = absolute(value)?;
    Ok(())
}

fn wallet(config: &mut Config, value: &str) -> Result<(), String> {
    let path = value.strip_prefix("sqlite3://").ok_or("only sqlite3:// is there")?;
    if path.contains(':') {
        return Err("a second database is not kept: use a plugin with db_write".to_owned());
    }
    config.wallet = Some(PathBuf::from(path));
    Ok(())
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| error.to_string())
}

fn network(_: &mut Config, value: &str) -> Result<(), String> {
    if value == "regtest" { Ok(()) } else { Err("only regtest is there".to_owned()) }
}

fn profile(config: &mut Config, value: &str) -> Result<(), String> {
    config.profile =
        value.parse().map_err(|error: leyden_protocol::profile::UnknownProfile| error.to_string())?;
    Ok(())
}

fn rgb(config: &mut Config, value: &str) -> Result<(), String> {
    let mut rgb = [0; 3];
    hex::decode_to_slice(value, &mut rgb).map_err(|_| format!("rgb '{value}' is not six hex digits"))?;
    config.rgb = Some(rgb);
    Ok(())
}

fn alias(config: &mut Config, value: &str) -> Result<(), String> {
    if value.len() > 32 {
        return Err(format!("Alias '{value}' is over 32 characters"));
    }
    config.alias = Some(value.to_owned());
    Ok(())
}

fn addr(config: &mut Config, value: &str) -> Result<(), String> {
    let address: SocketAddr =
        value.parse().map_err(|_| format!("'{value}' is not an address with a port"))?;
    config.addr = Some(address);
    Ok(())
}

/// Tor's port, if none is given.
const PROXY_PORT: u16 = 9050;

fn recover(config: &mut Config, value: &str) -> Result<(), String> {
    recovery::hsm_secret_file(value).map_err(|error| error.to_string())?;
    config.recover = Some(value.to_owned());
    config.addr = None;
    Ok(())
}

fn proxy(config: &mut Config, value: &str) -> Result<(), String> {
    let alone = || value.parse().map(|ip: IpAddr| SocketAddr::new(ip, PROXY_PORT));
    let address = value.parse().or_else(|_| alone());
    config.proxy = Some(address.map_err(|_| format!("'{value}' is not a numeric address"))?);
    Ok(())
}

fn bitcoin_rpcconnect(config: &mut Config, value: &str) -> Result<(), String> {
    let ip = if value == "localhost" { Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { value.parse() };
    let ip = ip.map_err(|_| format!("'{value}' is not a numeric address"))?;
    if let Some(bitcoind) = &mut config.bitcoind {
        bitcoind.rpc.set_ip(ip);
    }
    Ok(())
}

fn bitcoin_rpcport(config: &mut Config, value: &str) -> Result<(), String> {
    let port = number(value)?;
    if let Some(bitcoind) = &mut config.bitcoind {
        bitcoind.rpc.set_port(port);
    }
    Ok(())
}

fn bitcoin_rpcuser(config: &mut Config, value: &str) -> Result<(), String> {
    if let Some(bitcoind) = &mut config.bitcoind {
        value.clone_into(&mut bitcoind.user);
    }
    Ok(())
}

fn bitcoin_rpcpassword(config: &mut Config, value: &str) -> Result<(), String> {
    if let Some(bitcoind) = &mut config.bitcoind {
        value.clone_into(&mut bitcoind.password);
    }
    Ok(())
}

fn poll(config: &mut Config, value: &str) -> Result<(), String> {
    config.bitcoind_poll = seconds(value)?;
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

fn log_level(config: &mut Config, value: &str) -> Result<(), String> {
    let (level, part) = value.split_once(':').map_or((value, None), |(level, part)| (level, Some(part)));
    let level = level.parse().map_err(|_| format!("unknown log level {level}"))?;
    let Some(part) = part else {
        config.log_level = level;
        return Ok(());
    };
    let (part, file) = part.split_once(':').map_or((part, None), |(part, file)| (part, Some(file)));
    config.log_filters.push(LogFilter { level, part: part.to_owned(), file: file.map(PathBuf::from) });
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

pub(super) fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("'{value}' is not a number"))
}

/// Seconds, with decimals if need be.
fn seconds(value: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(value)?).map_err(|_| format!("'{value}' is out of range"))
}
