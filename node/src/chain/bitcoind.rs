//! The Bitcoin backend: one to five plugins, and the built-in one for what they leave (`lightningd/bitcoind.c`).

use super::answer::{self, Answer};
use super::broadcast::Attempt;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::config::PluginChoice;
use crate::event::LogLevel;
use crate::input::PluginId;
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::plugin::PluginState;
use crate::plugin::request::Awaiting;
use crate::state::{Phase, State};
use leyden_protocol::message::{self, RpcError, code};
use leyden_protocol::{Envelope, Id, Profile};
use serde_json::json;

/// The methods, in the order in which their owners are initialised.
pub(crate) const METHODS: [&str; 5] =
    ["getchaininfo", "getrawblockbyheight", "sendrawtransaction", "getutxout", "estimatefees"];

/// The name under which the built-in backend is complained of, and can be disabled.
pub(crate) const BUILT_IN: &str = "bcli";

/// A call of one of the methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// `getchaininfo`, with the height from which the node wants blocks.
    ChainInfo {
        /// Older releases do not tell it.
        last_height: Option<u32>,
    },
    /// `getrawblockbyheight`.
    Block(u32),
    /// The same, of a block from before this node's time.
    OldBlock(u32),
    /// `sendrawtransaction`.
    SendTransaction {
        /// In hex.
        tx: String,
        allow_high_fees: bool,
        /// Of the node itself, and not of a client.
        attempt: Option<Attempt>,
    },
    /// `getutxout`.
    Output { txid: String, vout: u32 },
    /// `estimatefees`.
    Estimates,
}

impl Question {
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::ChainInfo { .. } => "getchaininfo",
            Self::Block(_) | Self::OldBlock(_) => "getrawblockbyheight",
            Self::SendTransaction { .. } => "sendrawtransaction",
            Self::Output { .. } => "getutxout",
            Self::Estimates => "estimatefees",
        }
    }

    fn params(&self, profile: Profile) -> String {
        let params = match self {
            Self::ChainInfo { last_height: Some(height) } => json!({ "last_height": height }),
            Self::ChainInfo { last_height: None } | Self::Estimates => json!({}),
            Self::Block(height) | Self::OldBlock(height) => json!({ "height": height }),
            Self::SendTransaction { tx, .. } if !profile.tells_backend_of_high_fees() => json!({ "tx": tx }),
            Self::SendTransaction { tx, allow_high_fees, .. } => {
                json!({ "tx": tx, "allowhighfees": allow_high_fees })
            }
            Self::Output { txid, vout } => json!({ "txid": txid, "vout": vout }),
        };
        params.to_string()
    }
}

/// Who asks the built-in backend.
#[derive(Debug)]
pub(crate) enum Asker {
    /// The node itself.
    Node,
    /// A client of the RPC socket.
    Client(Client),
}

impl State {
    /// Initialises the owners of the five methods, one after another, before every other plugin and without a
    /// time limit (`bitcoind.c:bitcoind_check_commands`). Goes on when all have answered.
    pub(crate) fn init_backends(&mut self) {
        for method in METHODS {
            let Some((id, plugin)) = self.plugins.method(method) else {
                if self.has_built_in_backend() {
                    continue;
                }
                self.log_main(LogLevel::Debug, "Missing a Bitcoin plugin command");
                return self.fatal(&format!(
                    "Could not access the plugin for {method}, is a Bitcoin plugin (by default plugins/bcli) \
                     registered ?"
                ));
            };
            match plugin.state {
                PluginState::NeedsInit => return self.send_init(id, Awaiting::BackendInit),
                PluginState::AwaitingInit => return,
                _ => {}
            }
        }
        self.log_main(LogLevel::Debug, "All Bitcoin plugin commands registered");
        self.survey_chain();
    }

    /// Whether methods that no plugin brings are served all the same.
    pub(crate) fn has_built_in_backend(&self) -> bool {
        let disabled =
            |choice: &PluginChoice| matches!(choice, PluginChoice::Disable(name) if name == BUILT_IN);
        self.config.bitcoind.is_some() && !self.config.plugins.iter().any(disabled)
    }

    /// A backend has answered `init`. Whatever it said is taken for success.
    pub(crate) fn backend_inited(&mut self, id: PluginId) {
        if let Some(plugin) = self.plugins.get_mut(id) {
            plugin.state = PluginState::InitComplete;
        }
        self.init_backends();
    }

    /// Whether the node depends on this plugin for its chain.
    pub(crate) fn is_backend(&self, id: PluginId) -> bool {
        let owns = |method: &&str| self.plugins.method(method).is_some_and(|(owner, _)| owner == id);
        self.plugins.get(id).is_some_and(|plugin| plugin.state > PluginState::NeedsInit)
            && METHODS.iter().any(owns)
    }

    /// Asks the owner of the method.
    pub(crate) fn ask_chain(&mut self, question: Question) {
        self.ask_chain_for(question, None);
    }

    /// Asks the owner of the method, for the sake of a request with the id `cause`.
    pub(crate) fn ask_chain_for(&mut self, question: Question, cause: Option<&Id>) {
        let owner = self.plugins.method(question.method()).map(|(owner, _)| owner);
        match owner {
            Some(owner) => {
                let (method, params) = (question.method(), question.params(self.profile));
                self.request(owner, method, &params, cause, Awaiting::Chain(question));
            }
            None => self.out.push(Output::AskBackend(question, Asker::Node)),
        }
    }

    /// The owner of a method has answered; anything but a good answer is the end.
    pub(crate) fn chain_answered(&mut self, question: &Question, response: &Envelope<'_>) {
        match answer::read(question, response, self.profile) {
            Ok(Answer::Info(info)) => self.chain_info(info),
            Ok(Answer::Estimates(estimates)) => self.fees_estimated(&estimates),
            Ok(Answer::Block(block)) => match question {
                Question::OldBlock(height) => self.old_block(*height, block.as_deref()),
                _ => self.block(question, block.as_deref()),
            },
            Ok(Answer::Output { is_unspent }) => self.output_looked_up(is_unspent),
            Ok(Answer::Sent(answer)) => {
                if let Question::SendTransaction { attempt: Some(attempt), .. } = question {
                    self.transaction_sent(attempt, answer);
                }
            }
            Err(bad) => {
                let owner = self.plugins.method(question.method());
                let owner =
                    owner.map_or(BUILT_IN.to_owned(), |(_, plugin)| plugin.path.display().to_string());
                self.fatal(&bad.complaint(&owner));
            }
        }
    }

    /// The built-in backend has a result, or the error of one of its calls; the outer error is that it cannot
    /// reach bitcoind.
    pub(crate) fn built_in_answered(
        &mut self,
        question: &Question,
        asker: Asker,
        answer: Result<Result<String, RpcError>, String>,
    ) {
        match (asker, answer) {
            (_, _) if self.stopping() => {}
            (Asker::Client(client), Ok(Ok(result))) => {
                self.reply_verbatim(&client, &message::response(&client.id, &result));
            }
            (Asker::Client(client), Ok(Err(error))) => self.reply_error(&client, &error),
            (Asker::Client(client), Err(why)) => {
                self.reply_error(&client, &RpcError::new(code::BCLI_ERROR, why));
            }
            (Asker::Node, Ok(answer)) => {
                let id = Id::number(0);
                let response = match answer {
                    Ok(result) => message::response(&id, &result),
                    Err(error) => message::error_response(Some(&id), &error),
                };
                let response = Envelope::parse(&response).expect("the node wrote it");
                self.chain_answered(question, &response);
            }
            (Asker::Node, Err(why)) if self.phase >= Phase::Running => {
                if let Question::SendTransaction { attempt: Some(attempt), .. } = question {
                    return self.transaction_sent(attempt, Err(why));
                }
                if matches!(question, Question::OldBlock(_) | Question::Output { .. }) {
                    return self.lookups_failed(&why);
                }
                // bcli keeps trying as well; a test that stops bitcoind must not lose its node.
                self.log_main(LogLevel::Unusual, &why);
                self.ask_again_later(question);
            }
            (Asker::Node, Err(why)) => self.fatal(&why),
        }
    }
}

/// One of the five methods, by its place in [`METHODS`], called by a client and served by the built-in backend.
pub(crate) struct Method<const PLACE: usize>(Question);

pub(crate) type GetChainInfo = Method<0>;
pub(crate) type GetRawBlockByHeight = Method<1>;
pub(crate) type SendRawTransaction = Method<2>;
pub(crate) type GetUtxOut = Method<3>;
pub(crate) type EstimateFees = Method<4>;

/// What the methods take, in their order.
const TAKES: [&[Shape]; 5] = [
    &[Shape::optional("last_height")],
    &[Shape::required("height")],
    &[Shape::required("tx"), Shape::required("allowhighfees")],
    &[Shape::required("txid"), Shape::required("vout")],
    &[],
];

impl<const PLACE: usize> Command for Method<PLACE> {
    const NAME: &'static str = METHODS[PLACE];
    const TAKES: &'static [Shape] = TAKES[PLACE];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let number = |name| params.optional_integer(name).map(Option::unwrap_or_default);
        Ok(Self(match Self::NAME {
            "getrawblockbyheight" => Question::Block(number("height")?),
            "sendrawtransaction" => Question::SendTransaction {
                tx: params.string("tx")?,
                allow_high_fees: params.boolean("allowhighfees")?,
                attempt: None,
            },
            "getutxout" => Question::Output { txid: params.string("txid")?, vout: number("vout")? },
            "estimatefees" => Question::Estimates,
            _ => Question::ChainInfo { last_height: params.optional_integer("last_height")? },
        }))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.out.push(Output::AskBackend(self.0, Asker::Client(request.client.clone())));
        Ok(())
    }
}
