//! Hooks: plugins are asked, one after another, and their answers count (`lightningd/plugin_hook.c`).
//!
//! A call is a continuation: its chain of plugins and its [`Subject`] wait under the id of the request to
//! the plugin that is being asked. Each subject's module says what an answer means for it.

pub(crate) mod order;

use super::request::Awaiting;
use crate::channel::open::accept::OpenchannelCall;
use crate::channel::revocation::Revocation;
use crate::event::LogLevel;
use crate::htlc::hook::HtlcAcceptedCall;
use crate::htlc::payment::InvoicePaymentCall;
use crate::input::{ConnectionId, PluginId};
use crate::jsonrpc::hook::RpcCommandCall;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::hook::{Filter, HookRegistration};
use leyden_protocol::{Envelope, Id, json};

/// A call of a hook on its way through the chain.
#[derive(Debug)]
pub(crate) struct HookCall {
    hook: &'static str,
    key: FilterKey,
    payload: String,
    cause: Option<Id>,
    chain: Vec<PluginId>,
    /// The place in the chain of the plugin to be asked next.
    next: usize,
    subject: Subject,
}

/// What a call is about.
#[derive(Debug)]
pub(crate) enum Subject {
    /// `rpc_command`: a command that a client wants executed.
    RpcCommand(Box<RpcCommandCall>),
    /// `peer_connected`: a peer that has said `init`.
    PeerConnected(ConnectionId),
    /// `recover`: the node was given the secret of a lost one.
    Recover,
    /// `custommsg`: a message of this peer.
    Custommsg(ConnectionId),
    /// `onion_message_recv` or `onion_message_recv_secret`: a message for this node.
    OnionMessage,
    /// `openchannel`: a channel that this peer proposes.
    Openchannel(PublicKey, Box<OpenchannelCall>),
    /// `commitment_revocation`: a commitment that a peer has revoked.
    CommitmentRevocation(Revocation),
    /// `htlc_accepted`: an incoming HTLC.
    HtlcAccepted(Box<HtlcAcceptedCall>),
    /// `invoice_payment`: a payment that is all there.
    InvoicePayment(Box<InvoicePaymentCall>),
}

/// What an answer means for the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask the next plugin.
    Next,
    /// Ask nobody else: the subject is settled by what has been answered so far.
    Settled,
    /// Ask nobody else, and forget the subject.
    Stop,
}

/// What a registration's filters are compared with.
#[derive(Debug)]
pub(crate) enum FilterKey {
    /// The command of `rpc_command`.
    Method(String),
    /// The message type of `custommsg`.
    MessageType(u16),
    /// Hooks that take no filters.
    None,
}

impl FilterKey {
    fn passes(&self, filter: &Filter) -> bool {
        match (self, filter) {
            (Self::Method(method), Filter::Method(wanted)) => method == wanted,
            (Self::MessageType(number), Filter::MessageType(wanted)) => u64::from(*number) == *wanted,
            _ => false,
        }
    }
}

impl State {
    /// Asks every plugin that registered for `hook`, one after another, about `subject`.
    pub(crate) fn call_hook(
        &mut self,
        hook: &'static str,
        key: FilterKey,
        payload: String,
        cause: Option<Id>,
        subject: Subject,
    ) {
        let chain = self.hooks.order(hook).to_vec();
        self.hooks.enter(hook);
        self.advance_hook(HookCall { hook, key, payload, cause, chain, next: 0, subject });
    }

    fn advance_hook(&mut self, mut call: HookCall) {
        if self.profile.hook_order_waits_for_calls() {
            // The order has not changed, but somebody may have registered.
            let newcomers = self.hooks.order(call.hook).get(call.chain.len()..);
            call.chain.extend_from_slice(newcomers.unwrap_or_default());
        }
        while let Some(id) = call.chain.get(call.next).copied() {
            call.next += 1;
            let Some(plugin) = self.plugins.get(id).filter(|plugin| plugin.is_asked(call.hook, &call.key))
            else {
                continue;
            };
            let name = plugin.shortname.clone();
            let text = format!("Calling {} hook of plugin {name}", call.hook);
            self.trace_hook(&text);
            let payload = match &call.subject {
                // Others have changed it.
                Subject::HtlcAccepted(htlc) => self.htlc_accepted_payload(htlc, name),
                _ => call.payload.clone(),
            };
            let (hook, cause) = (call.hook, call.cause.clone());
            return self.request(id, hook, &payload, cause.as_ref(), Awaiting::Hook(call));
        }
        self.settle(call);
    }

    /// The chain is through.
    fn settle(&mut self, call: HookCall) {
        self.release_hook(call.hook);
        match call.subject {
            Subject::RpcCommand(command) => self.rpc_command_final(*command),
            Subject::PeerConnected(peer) => self.peer_connected_final(peer),
            Subject::Custommsg(peer) => self.custommsg_final(peer),
            Subject::Recover | Subject::OnionMessage => {}
            Subject::Openchannel(peer, proposal) => self.openchannel_final(peer, *proposal),
            Subject::CommitmentRevocation(revocation) => self.commitment_revocation_final(revocation),
            Subject::HtlcAccepted(htlc) => self.htlc_accepted_final(&htlc),
            Subject::InvoicePayment(payment) => self.invoice_payment_final(&payment),
        }
    }

    fn release_hook(&mut self, hook: &'static str) {
        if self.hooks.leave(hook) {
            self.log_main(LogLevel::Unusual, &format!("Updating hooks for {hook} now usage is done."));
        }
    }

    /// A plugin has answered a hook, or died over it.
    pub(crate) fn hook_answered(&mut self, mut call: HookCall, id: PluginId, response: &Envelope<'_>) {
        let name = self.plugins.get(id).map_or_else(|| "?".to_owned(), |plugin| plugin.shortname.clone());
        if response.error.and_then(|error| json::member(error, "code")) == Some("-4") {
            self.log_main(LogLevel::Debug, &format!("Plugin died from {} hook call", call.hook));
            return self.advance_hook(call);
        }
        self.trace_hook(&format!("Plugin {name} returned from {} hook call", call.hook));
        let Some(result) = response.result else {
            return self.fatal(&self.profile.hook_without_result(&name, call.hook, response.text));
        };
        let verdict = match &mut call.subject {
            Subject::RpcCommand(command) => self.rpc_command_answer(command, result),
            Subject::PeerConnected(peer) => self.peer_connected_answer(*peer, result, response.text),
            Subject::Custommsg(_) => self.custommsg_answer(result, response.text),
            Subject::Recover => self.recover_answer(result, response.text),
            Subject::OnionMessage => Self::onion_message_answer(result),
            Subject::Openchannel(_, proposal) => self.openchannel_answer(proposal, result),
            Subject::CommitmentRevocation(_) => self.commitment_revocation_answer(result),
            Subject::HtlcAccepted(htlc) => self.htlc_accepted_answer(htlc, result, response.text),
            Subject::InvoicePayment(payment) => self.invoice_payment_answer(payment, result),
        };
        match verdict {
            Verdict::Next => self.advance_hook(call),
            Verdict::Settled => self.settle(call),
            Verdict::Stop => self.release_hook(call.hook),
        }
    }

    fn trace_hook(&mut self, text: &str) {
        let level = if self.profile.has_trace_level() { LogLevel::Trace } else { LogLevel::Debug };
        self.log_main(level, text);
    }
}

impl super::Plugin {
    fn hook(&self, name: &str) -> Option<&HookRegistration> {
        self.manifest.hooks.iter().find(|hook| hook.name == name)
    }

    /// Whether it wants to be asked in this call of `hook`; with filters, only if one of them matches.
    fn is_asked(&self, hook: &str, key: &FilterKey) -> bool {
        let filters = self.hook(hook).map(|registration| &registration.filters);
        filters.is_some_and(|filters| {
            filters.as_ref().is_none_or(|filters| filters.iter().any(|filter| key.passes(filter)))
        })
    }
}
