//! Commands that a real lightningd has itself, and this node has not: their names are taken all the same.

use super::find;
use crate::state::State;

/// By name. Those of lightningd's plugins are in `plugin/bundled.rs`.
const ELSEWHERE: &[&str] = &[
    "abort_channels",
    "batching",
    "blacklistrune",
    "blindedpath",
    "checkrune",
    "createinvoicerequest",
    "createoffer",
    "createrune",
    "datastoreusage",
    "decodepay",
    "decryptencrypteddata",
    "delexpiredinvoice",
    "delnetworkevent",
    "destroyrune",
    "dev-compact-gossip-store",
    "dev-connectd-exhaust-fds",
    "dev-finalizepsbt",
    "dev-listaddrs",
    "dev-memdump",
    "dev-peer-shachain",
    "dev-queryrates",
    "dev-quiesce",
    "dev-rawrequest",
    "dev-reenable-commit",
    "dev-report-fds",
    "dev-rescan-outputs",
    "dev-set-max-scids-encode-size",
    "dev-splice",
    "dev-suppress-gossip",
    "disableinvoicerequest",
    "disableoffer",
    "enableoffer",
    "getlog",
    "getsharedsecret",
    "graceful",
    "injectpaymentonion",
    "injectutxodeposit",
    "injectutxospend",
    "invokerune",
    "listaddresses",
    "listinvoicerequests",
    "listnetworkevents",
    "listoffers",
    "openchannel_abort",
    "openchannel_bump",
    "openchannel_init",
    "openchannel_signed",
    "openchannel_update",
    "payersign",
    "recover",
    "recoverchannel",
    "sendonionmessage",
    "setchannelfee",
    "setleaserates",
    "showrunes",
    "signmessagewithkey",
    "splice_init",
    "splice_signed",
    "splice_update",
    "staticbackup",
    "stfu_channels",
];

impl State {
    /// Whether lightningd itself has a command of this name in this release, whatever this node has.
    pub(crate) fn is_lightningds(&self, name: &str) -> bool {
        let known = ELSEWHERE.contains(&name) || self.own_command(name).is_some();
        known && self.profile.has_command(name)
    }

    /// Why there is no command of this name.
    pub(crate) fn no_command(&self, name: &str) -> String {
        let is_for_developers = name.starts_with("dev-") && !self.config.developer;
        if find(name).is_none() && self.is_lightningds(name) {
            return match is_for_developers {
                true => format!("Command \"{name}\" is developer-only"),
                false => format!("Command \"{name}\" is not in the embedded node: a real lightningd has it"),
            };
        }
        let unknown = format!("Unknown command '{name}'");
        match self.bundled_owner(name) {
            Some(_) => {
                unknown
                    + ": a plugin of lightningd has it, which this node is without; run the test on a real lightningd"
            }
            None => unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_elsewhere_is_not_here() {
        assert_eq!(ELSEWHERE.iter().find(|name| find(name).is_some()), None);
        assert!(ELSEWHERE.is_sorted());
    }
}
