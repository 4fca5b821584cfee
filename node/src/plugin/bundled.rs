//! The plugins that lightningd brings along. The node does itself what it does of their work; their methods are taken all the same, as
//! with lightningd, unless the plugin is disabled.

use crate::state::State;
use std::path::{Path, PathBuf};

/// Where lightningd's installation has them.
const DIR: &str = "/usr/local/libexec/c-lightning/plugins";

/// Name and methods, as of v26.06.6. `bcli` is not among them: its methods are those of a Bitcoin backend, and others may bring them.
const BUNDLED: &[(&str, &str)] = &[
    ("autoclean", "autoclean-status autoclean-once"),
    (
        "bookkeeper",
        "bkpr-listbalances bkpr-listaccountevents bkpr-inspect bkpr-listincome bkpr-dumpincomecsv bkpr-channelsapy bkpr-report bkpr-editdescriptionbypaymentid bkpr-editdescriptionbyoutpoint",
    ),
    ("chanbackup", "emergencyrecover getemergencyrecoverdata restorefrompeer"),
    (
        "cln-askrene",
        "getroutes askrene-listreservations askrene-reserve askrene-unreserve askrene-disable-node askrene-create-channel askrene-update-channel askrene-remove-channel-update askrene-inform-channel askrene-bias-channel askrene-bias-node askrene-create-layer askrene-remove-layer askrene-listlayers askrene-age",
    ),
    (
        "cln-bwatch",
        "addscriptpubkeywatch addoutpointwatch addscidwatch addblockdepthwatch delscriptpubkeywatch deloutpointwatch delscidwatch delblockdepthwatch listwatch",
    ),
    ("cln-renepay", "renepaystatus renepay"),
    ("cln-xpay", "xpay xpay-as-pay xkeysend listpays sendamount"),
    ("commando", "commando"),
    ("exposesecret", "exposesecret"),
    ("funder", "funderupdate"),
    ("keysend", "keysend"),
    ("offers", "offer invoicerequest decode fetchinvoice sendinvoice cancelrecurringinvoice createproof"),
    ("pay", "paystatus pay"),
    ("recklessrpc", "reckless"),
    ("spenderp", "multiwithdraw fundchannel multifundchannel dev-splice splicein spliceout"),
    ("sql", "sql listsqlschemas"),
    ("topology", "getroute listchannels listnodes listincoming"),
    ("txprepare", "txprepare txdiscard txsend withdraw upgradewallet"),
];

/// Name and topics that it declares.
const TOPICS: &[(&str, &str)] = &[
    ("pay", "pay_success pay_failure channel_hint_update"),
    ("keysend", "pay_success pay_failure"),
    ("cln-xpay", "pay_part_start pay_part_end"),
];

impl State {
    /// The path of the bundled plugin that has this method.
    pub(crate) fn bundled_owner(&self, method: &str) -> Option<PathBuf> {
        let path = path_of(method).filter(|_| self.profile.bundled_methods_are_known())?;
        (!self.is_away(&path)).then_some(path)
    }

    /// Whether this method belongs to a bundled plugin that does not run.
    pub(crate) fn is_bundled_away(&self, method: &str) -> bool {
        // Nearly always none is away, and this is asked of every command.
        let none_away = !self.plugins.cleared && self.plugins.disabled.is_empty();
        !none_away && path_of(method).is_some_and(|path| self.is_away(&path))
    }

    /// Whether a bundled plugin that runs declares this topic.
    pub(crate) fn is_bundled_topic(&self, topic: &str) -> bool {
        let declares = |(_, topics): &&(&str, &str)| topics.split(' ').any(|own| own == topic);
        let mut owners = TOPICS.iter().filter(declares);
        self.profile.has_bundled_topic(topic)
            && owners.any(|(name, _)| !self.is_away(&Path::new(DIR).join(name)))
    }

    fn is_away(&self, bundled: &Path) -> bool {
        self.plugins.cleared || self.is_disabled(bundled)
    }
}

fn path_of(method: &str) -> Option<PathBuf> {
    let owns = |(_, methods): &&(&str, &str)| methods.split(' ').any(|own| own == method);
    BUNDLED.iter().find(owns).map(|(name, _)| Path::new(DIR).join(name))
}
