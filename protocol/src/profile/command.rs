//! Which commands a release has.

use super::Profile;

/// Those that came after v0.10.1, and that v23.02 has. `listpeerchannels` is not among them although it is one: the harness asks nodes
/// of every release for their channels with it.
const SINCE_V23_02: &[&str] = &[
    "batching",
    "blindedpath",
    "datastore",
    "deldatastore",
    "delforward",
    "dev-rawrequest",
    "disableinvoicerequest",
    "listdatastore",
    "listhtlcs",
    "listinvoicerequests",
    "makesecret",
    "preapproveinvoice",
    "preapprovekeysend",
    "recoverchannel",
    "setchannel",
    "signinvoice",
    "staticbackup",
];

/// Those that came after v23.02.
const SINCE_V26_06: &[&str] = &[
    "abort_channels",
    "addpsbtinput",
    "addpsbtoutput",
    "blacklistrune",
    "checkrune",
    "createrune",
    "datastoreusage",
    "decryptencrypteddata",
    "delnetworkevent",
    "deprecations",
    "destroyrune",
    "dev-connectd-exhaust-fds",
    "dev-finalizepsbt",
    "dev-peer-shachain",
    "dev-report-fds",
    "dev-splice",
    "enableoffer",
    "getroutes",
    "graceful",
    // Before v24.11 it took other parameters.
    "injectonionmessage",
    "injectpaymentonion",
    "injectutxodeposit",
    "injectutxospend",
    "invokerune",
    "listaddresses",
    "listchainmoves",
    "listchannelmoves",
    "listclosedchannels",
    "listnetworkevents",
    "recover",
    "setconfig",
    "setpsbtversion",
    "showrunes",
    "signmessagewithkey",
    "splice_init",
    "splice_signed",
    "splice_update",
    "stfu_channels",
    "wait",
    "xkeysend",
    "xpay",
    "xpay-as-pay",
];

/// Those that went after v0.10.1.
const UNTIL_V0_10: &[&str] = &["getsharedsecret", "setchannelfee"];

/// Those that went after v23.02.
const UNTIL_V23_02: &[&str] = &["blindedpath", "decodepay", "delexpiredinvoice", "sendonionmessage"];

impl Profile {
    /// Whether a command of some release of lightningd, or of one of its plugins, is one of this release.
    #[must_use]
    pub fn has_command(self, name: &str) -> bool {
        let (too_new, gone): (&[&[&str]], &[&[&str]]) = match self {
            Self::Manual | Self::V0_10 => (&[SINCE_V23_02, SINCE_V26_06], &[]),
            Self::V23_02 => (&[SINCE_V26_06], &[UNTIL_V0_10]),
            Self::V26_06 => (&[], &[UNTIL_V0_10, UNTIL_V23_02]),
        };
        !too_new.iter().chain(gone).any(|names| names.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_and_go_with_releases() {
        let releases = |name| Profile::ALL.map(|profile| profile.has_command(name));
        assert_eq!(releases("getinfo"), [true; 4]);
        assert_eq!(releases("datastore"), [false, false, true, true]);
        assert_eq!(releases("xpay"), [false, false, false, true]);
        assert_eq!(releases("decodepay"), [true, true, true, false]);
        assert_eq!(releases("setchannelfee"), [true, true, false, false]);
        assert_eq!(releases("blindedpath"), [false, false, true, false]);
    }
}
