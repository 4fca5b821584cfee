//! The commands of the node itself.
//!
//! | module | subject |
//! |---|---|
//! | [`params`] | parameters, by name or by place |
//! | [`page`] | parts of long lists |
//! | [`amount`] | amounts of money as clients write them |
//! | [`general`] | `getinfo`, `notifications`, `deprecations`, `check` |
//! | [`help`] | `help` |
//! | [`invoice`] | `invoice`, `createinvoice`, `signinvoice`, `listinvoices`, `delinvoice`, `waitinvoice`, `waitanyinvoice` |
//! | [`decode`] | `decode` |
//! | [`listconfigs`] | `listconfigs` |
//! | [`setconfig`] | `setconfig` |
//! | [`dev`] | `dev` |
//! | [`elsewhere`] | what only a real lightningd has |
//! | [`datastore`] | `datastore`, `listdatastore`, `deldatastore` |
//! | [`signmessage`] | `signmessage`, `checkmessage` |
//! | [`makesecret`] | what it is called |
//!
//! `plugin` lives in [`crate::plugin::control`], `stop` in [`crate::shutdown`], the commands about peers in
//! [`crate::peer`], those about blocks and fees in [`crate::chain`], those about coins in [`crate::wallet`], those about
//! payments in [`crate::payment`], `wait` in [`crate::indexes`], those about the network in [`crate::gossip`].

pub(crate) mod amount;
mod datastore;
pub(crate) mod decode;
pub(crate) mod dev;
mod elsewhere;
pub(crate) mod general;
mod help;
pub(crate) mod invoice;
mod listconfigs;
mod makesecret;
pub(crate) mod page;
pub(crate) mod params;
pub(crate) mod setconfig;
mod signmessage;

use crate::chain::bitcoind;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::deprecation::Deprecated;
use leyden_protocol::message::RpcError;
use params::{Params, Shape};

/// A command: a value is one call of it, made of its parameters.
pub(crate) trait Command: Sized {
    const NAME: &'static str;
    /// What it takes, in the order in which it is given by place.
    const TAKES: &'static [Shape] = &[];
    /// Whether it lets other parameters through.
    const TAKES_MORE: bool = false;
    /// What `help` shows, where that is not what it takes.
    const USAGE: Option<&'static str> = None;
    /// The releases from which on, and until which, it is deprecated.
    const DEPRECATED: Option<(&'static str, &'static str)> = None;

    /// Reads the parameters, and refuses what lightningd refuses before it does anything: the node can be
    /// looked at and not changed.
    fn parse(params: &Params, node: &State) -> Result<Self, RpcError>;

    /// Does it, and answers by itself, now or later, unless it gives an error.
    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError>;

    /// Answers the `check` of a call that could be parsed. Nothing is to be done; there may be somebody to be asked.
    fn check(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply_checked(request, Self::NAME);
        Ok(())
    }
}

/// A command in the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    usage: Option<&'static str>,
    takes: &'static [Shape],
    deprecated: Option<(&'static str, &'static str)>,
    /// Answers a `check` of parameters, which are given as JSON.
    pub(crate) check: fn(&mut State, &str, &RpcRequest) -> Result<(), RpcError>,
    pub(crate) run: fn(&mut State, &RpcRequest) -> Result<(), RpcError>,
}

impl Row {
    const fn of<C: Command>() -> Self {
        Self {
            name: C::NAME,
            usage: C::USAGE,
            takes: C::TAKES,
            deprecated: C::DEPRECATED,
            check: check::<C>,
            run: run::<C>,
        }
    }

    /// Since when it is deprecated.
    pub(crate) fn deprecated(&self) -> Deprecated {
        self.deprecated.map_or(Deprecated::Never, |(start, end)| {
            Deprecated::Range(start.to_owned(), Some(end.to_owned()))
        })
    }

    /// Whether it may be called only with `--developer`.
    pub(crate) fn is_for_developers(&self) -> bool {
        self.name == dev::Dev::NAME || self.name.starts_with("dev-")
    }

    /// The parameters, as `help` shows them.
    pub(crate) fn usage(&self) -> String {
        let takes = || self.takes.iter().map(Shape::to_string).collect::<Vec<_>>().join(" ");
        self.usage.map_or_else(takes, str::to_owned)
    }
}

fn parse<C: Command>(node: &State, params: &str) -> Result<C, RpcError> {
    C::parse(&Params::parse(params, C::TAKES, C::TAKES_MORE)?, node)
}

fn check<C: Command>(node: &mut State, params: &str, request: &RpcRequest) -> Result<(), RpcError> {
    // Whoever only asks whether a token would do is shown it.
    let command = parse::<C>(node, params).map_err(|error| RpcError { bad_param: None, ..error })?;
    command.check(node, request)
}

fn run<C: Command>(node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
    parse::<C>(node, &request.params)?.run(node, request)
}

/// Every command, by name.
pub(crate) const COMMANDS: &[Row] = &[
    Row::of::<crate::gossip::listing::Addgossip>(),
    Row::of::<crate::wallet::addpsbt::Addpsbtinput>(),
    Row::of::<crate::wallet::addpsbt::Addpsbtoutput>(),
    Row::of::<general::Check>(),
    Row::of::<crate::channel::close::Close>(),
    Row::of::<signmessage::Checkmessage>(),
    Row::of::<crate::peer::control::Connect>(),
    Row::of::<invoice::Createinvoice>(),
    Row::of::<crate::payment::createonion::Createonion>(),
    Row::of::<datastore::Datastore>(),
    Row::of::<dev::Dev>(),
    Row::of::<crate::channel::fail::DevFail>(),
    Row::of::<crate::channel::feerate::DevFeerate>(),
    Row::of::<crate::channel::fail::DevForgetChannel>(),
    Row::of::<crate::htlc::DevIgnoreHtlcs>(),
    Row::of::<dev::DevMemleak>(),
    Row::of::<crate::channel::fail::DevSignLastTx>(),
    Row::of::<crate::channel::open::multifund::Fundchannel>(),
    Row::of::<crate::channel::open::command::FundchannelCancel>(),
    Row::of::<crate::channel::open::command::FundchannelComplete>(),
    Row::of::<crate::channel::open::command::FundchannelStart>(),
    Row::of::<crate::channel::closed::Listclosedchannels>(),
    Row::of::<crate::channel::list::Listpeerchannels>(),
    Row::of::<crate::channel::open::multifund::Multifundchannel>(),
    Row::of::<crate::channel::setchannel::Setchannel>(),
    Row::of::<decode::Decode>(),
    Row::of::<datastore::Deldatastore>(),
    Row::of::<invoice::Delinvoice>(),
    Row::of::<crate::payment::delpay::Delpay>(),
    Row::of::<crate::htlc::Delforward>(),
    Row::of::<general::Deprecations>(),
    Row::of::<crate::peer::control::Disconnect>(),
    Row::of::<bitcoind::EstimateFees>(),
    Row::of::<crate::chain::feerates::Report>(),
    Row::of::<crate::wallet::fundpsbt::Fundpsbt>(),
    Row::of::<bitcoind::GetChainInfo>(),
    Row::of::<general::Getinfo>(),
    Row::of::<bitcoind::GetRawBlockByHeight>(),
    Row::of::<crate::gossip::getroute::Getroute>(),
    Row::of::<crate::gossip::getroutes::Getroutes>(),
    Row::of::<bitcoind::GetUtxOut>(),
    Row::of::<help::Help>(),
    Row::of::<crate::peer::onion_message::Injectonionmessage>(),
    Row::of::<invoice::Invoice>(),
    Row::of::<crate::coin_mvts::list::Listchainmoves>(),
    Row::of::<crate::coin_mvts::list::Listchannelmoves>(),
    Row::of::<crate::gossip::listing::Listchannels>(),
    Row::of::<listconfigs::Listconfigs>(),
    Row::of::<datastore::Listdatastore>(),
    Row::of::<crate::wallet::listfunds::Listfunds>(),
    Row::of::<crate::htlc::Listforwards>(),
    Row::of::<crate::htlc::Listhtlcs>(),
    Row::of::<crate::gossip::incoming::Listincoming>(),
    Row::of::<invoice::Listinvoices>(),
    Row::of::<crate::gossip::listing::Listnodes>(),
    Row::of::<crate::payment::keysend::KeysendOfBefore>(),
    Row::of::<crate::payment::listpays::Listpays>(),
    Row::of::<crate::peer::control::Listpeers>(),
    Row::of::<crate::chain::transactions::Listtransactions>(),
    Row::of::<crate::payment::listsendpays::Listsendpays>(),
    Row::of::<makesecret::Makesecret>(),
    Row::of::<crate::wallet::address::Newaddr>(),
    Row::of::<general::Notifications>(),
    Row::of::<crate::wallet::multiwithdraw::Multiwithdraw>(),
    Row::of::<crate::chain::feerates::param::Parsefeerate>(),
    Row::of::<crate::payment::pay::Pay>(),
    Row::of::<crate::peer::control::Ping>(),
    Row::of::<crate::plugin::control::Control>(),
    Row::of::<crate::wallet::reservation::Reserveinputs>(),
    Row::of::<crate::payment::preapprove::Preapproveinvoice>(),
    Row::of::<crate::payment::preapprove::Preapprovekeysend>(),
    Row::of::<crate::peer::custommsg::Sendcustommsg>(),
    Row::of::<crate::wallet::send::Sendpsbt>(),
    Row::of::<bitcoind::SendRawTransaction>(),
    Row::of::<crate::payment::sendonion::Sendonion>(),
    Row::of::<crate::payment::sendpay::Sendpay>(),
    Row::of::<setconfig::Setconfig>(),
    Row::of::<crate::wallet::psbt_version::Setpsbtversion>(),
    Row::of::<invoice::Signinvoice>(),
    Row::of::<signmessage::Signmessage>(),
    Row::of::<crate::wallet::sign::Signpsbt>(),
    Row::of::<crate::shutdown::Stop>(),
    Row::of::<crate::wallet::txprepare::Txdiscard>(),
    Row::of::<crate::wallet::txprepare::Txprepare>(),
    Row::of::<crate::wallet::txprepare::Txsend>(),
    Row::of::<crate::wallet::reservation::Unreserveinputs>(),
    Row::of::<crate::wallet::fundpsbt::Utxopsbt>(),
    Row::of::<crate::indexes::Wait>(),
    Row::of::<invoice::Waitanyinvoice>(),
    Row::of::<crate::chain::waitblockheight::Waitblockheight>(),
    Row::of::<invoice::Waitinvoice>(),
    Row::of::<crate::payment::waitsendpay::Waitsendpay>(),
    Row::of::<crate::payment::keysend::Xkeysend>(),
    Row::of::<crate::payment::xpay::Xpay>(),
    Row::of::<crate::payment::xpay::XpayAsPay>(),
    Row::of::<crate::wallet::withdraw::Withdraw>(),
];

impl State {
    /// The command called `name`, if it is the node's to serve: not every release has it, plugins may bring the methods of a Bitcoin backend, and those of bundled plugins
    /// that are disabled.
    pub(crate) fn own_command(&self, name: &str) -> Option<&'static Row> {
        find(name).filter(|_| {
            self.profile.has_command(name)
                && self.plugins.method(name).is_none()
                && !self.is_bundled_away(name)
        })
    }
}

/// The command called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|command| command.name == name)
}
