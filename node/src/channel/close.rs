//! Closing channels by agreement, and the command `close` (`lightningd/closing_control.c`).

use super::CloseFees;
use super::channel_state::{Cause, ChannelState};
use crate::chain::feerates::Purpose;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::event::LogLevel;
use crate::input::Timer;
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::State;
use crate::wallet::param;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, ScriptBuf, Transaction};
use leyden_bolt::channel::{ClosingFees, NegotiationStep, is_shutdown_script};
use leyden_bolt::features::bit;
use leyden_bolt::transaction::Side;
use leyden_protocol::json;
use leyden_protocol::message::{self, RpcError, code};
use serde_json::{Map, json};
use std::time::Duration;

/// How long `close` waits for the peer if nobody says, in seconds.
const PATIENCE: u32 = 48 * 3600;

/// A `close` that waits for its channel.
#[derive(Debug)]
pub(super) struct CloseCommand {
    number: u64,
    dbid: u64,
    client: Client,
}

/// `close id [unilateraltimeout] [destination] [fee_negotiation_step] [wrong_funding] [force_lease_closed] [feerange]`.
pub(crate) struct Close {
    target: Target,
    timeout: u32,
    destination: Option<ScriptBuf>,
    fees: CloseFees,
}

/// What is to be closed.
enum Target {
    /// An opening that has not come to a channel yet.
    Opening(PublicKey),
    Channel(u64),
}

impl Command for Close {
    const NAME: &'static str = "close";
    const TAKES: &'static [Shape] = &[
        Shape::required("id"),
        Shape::optional("unilateraltimeout"),
        Shape::optional("destination"),
        Shape::optional("fee_negotiation_step"),
        Shape::optional("wrong_funding"),
        Shape::optional("force_lease_closed"),
        Shape::optional("feerange"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let target = node.close_target(params)?;
        let timeout = params.optional_integer("unilateraltimeout")?.unwrap_or(PATIENCE);
        let destination = param::optional_address(params, "destination")?;
        let wrong_funding = params.raw("wrong_funding").map(json::content);
        if wrong_funding.is_some_and(|text| text.parse::<OutPoint>().is_err()) {
            return Err(params.wrong("wrong_funding", "should be a txid:outnum"));
        }
        params.optional_bool("force_lease_closed")?;
        let fees = CloseFees { range: fee_range(params, node)?, step: step(params)? };
        if let Target::Channel(dbid) = target {
            node.check_destination(dbid, destination.as_ref())?;
            if wrong_funding.is_some() {
                return Err(invalid(
                    "wrong_funding feature not negotiated (we said no, they said no: try experimental-shutdown-wrong-funding?)",
                ));
            }
        }
        Ok(Self { target, timeout, destination, fees })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { target, timeout, destination, fees } = self;
        let dbid = match target {
            Target::Channel(dbid) => dbid,
            Target::Opening(peer) => {
                node.kill_opening(&peer, "close command called");
                node.reply(&request.client, &json!({ "type": "unopened" }));
                return Ok(());
            }
        };
        let own_key = destination.as_ref().and_then(|script| node.scripts.key_index(script));
        let Some(channel) = node.channels.get_mut(dbid) else { return Ok(()) };
        channel.close_fees = fees;
        if let Some(script) = destination {
            channel.close_to = script;
            channel.final_key_index = own_key.unwrap_or(channel.final_key_index);
        }
        let (state, script) = (channel.state, channel.close_to.clone());
        if state < ChannelState::ShuttingDown {
            let why = "User or plugin invoked close command";
            node.channel_state(dbid, ChannelState::ShuttingDown, Cause::User, why);
            node.own_channel_changed(dbid);
        }
        if let Some(channel) = node.channels.get_mut(dbid)
            && channel.state == ChannelState::ShuttingDown
        {
            channel.bolt.shutdown(script);
        }
        node.register_close(dbid, request.client.clone(), timeout);
        Ok(())
    }
}

/// `fee_negotiation_step`: sat, or a percentage.
fn step(params: &Params) -> Result<NegotiationStep, RpcError> {
    let Some(text) = params.optional_string("fee_negotiation_step") else {
        return Ok(NegotiationStep::default());
    };
    let wrong =
        |what: &str| Err(invalid(format!("Wrong value given for fee_negotiation_step: \"{text}\", {what}")));
    let digits = text.strip_suffix('%').unwrap_or(&text);
    match (digits.parse::<u64>(), text.ends_with('%')) {
        (Ok(0), _) => wrong("must be positive"),
        (Ok(101..), true) => wrong("the percentage should be between 1 and 100"),
        (Ok(percent), true) => Ok(NegotiationStep::Percent(percent)),
        (Ok(sat), false) => Ok(NegotiationStep::Sat(sat)),
        (Err(_), _) => wrong("should be an integer or an integer followed by %"),
    }
}

/// `feerange`: the least and the most.
fn fee_range(params: &Params, node: &State) -> Result<Option<(u32, u32)>, RpcError> {
    let Some(raw) = params.raw("feerange") else { return Ok(None) };
    let elements = json::elements(raw).filter(|elements| elements.len() == 2);
    let Some(&[least, most]) = elements.as_deref() else {
        return Err(params.wrong("feerange", "should be an array of 2 entries"));
    };
    let rate = |token: &str| {
        let one = Params::parse(&format!("[{token}]"), &[Shape::required("feerange")], false)?;
        node.feerate_param(&one, "feerange").map(Option::unwrap_or_default)
    };
    let (least, most) = (rate(least)?, rate(most)?);
    if most < least {
        return Err(params.wrong("feerange", "minimum must be less than or equal to maximum"));
    }
    Ok(Some((least, most)))
}

impl State {
    fn close_target(&self, params: &Params) -> Result<Target, RpcError> {
        let refuse = |text: &str| Err(RpcError::new(code::LIGHTNINGD, text));
        let Ok(peer) = params.string("id")?.parse::<PublicKey>() else {
            let dbid = self.find_channel(params, "id")?;
            let state = self.channels.get(dbid).map(|channel| channel.state);
            return match state.filter(|state| !state.wants_peer()) {
                None => Ok(Target::Channel(dbid)),
                Some(state) => Err(params.wrong("id", &format!("Channel in state {state}"))),
            };
        };
        let mut closable = self.channels.of_peer(&peer).filter(|channel| channel.state.wants_peer());
        match (closable.next(), closable.next()) {
            (Some(channel), None) => Ok(Target::Channel(channel.dbid)),
            (Some(_), Some(_)) => refuse("Peer has multiple channels: use channel_id or short_channel_id"),
            (None, _) if self.channels.uncommitted.contains_key(&peer) => Ok(Target::Opening(peer)),
            (None, _) => refuse("Peer has no active channel"),
        }
    }

    /// A destination that was promised cannot be changed, nor one that the peer knows.
    fn check_destination(&self, dbid: u64, destination: Option<&ScriptBuf>) -> Result<(), RpcError> {
        let Some(channel) = self.channels.get(dbid) else { return Ok(()) };
        let Some(script) = destination.filter(|script| **script != channel.close_to) else { return Ok(()) };
        let differs = |which: &str| {
            Err(invalid(format!(
                "Destination address {} does not match {which} {}",
                channel.close_to.to_hex_string(),
                script.to_hex_string()
            )))
        };
        if channel.state.is_closing() {
            return differs("already-sent shutdown script");
        }
        let index = channel.final_key_index;
        let defaults = [self.wallet.p2tr(index), self.wallet.p2wpkh(index)];
        if !defaults.iter().any(|address| address.script_pubkey() == channel.close_to) {
            return differs("previous shutdown script");
        }
        let theirs = self.peers.iter().find(|(_, open)| open.id == channel.peer);
        let any_segwit = theirs.is_some_and(|(_, open)| open.features.offers(bit::SHUTDOWN_ANYSEGWIT));
        if is_shutdown_script(script, any_segwit, false) {
            return Ok(());
        }
        let text = if is_shutdown_script(script, true, false) {
            "Peer does not allow v1+ shutdown addresses"
        } else {
            "Invalid close destination"
        };
        Err(invalid(text))
    }

    /// Tells a client how its command goes on, if it wanted to know (`json_notify_fmt`).
    fn notify_command(&mut self, client: &Client, level: LogLevel, text: &str) {
        let params = json!({ "level": level.name(), "message": text });
        let params = format!("{{\"id\":{},{}", client.id, &params.to_string()[1..]);
        self.notify_client(client, message::notification("message", &params));
    }

    fn register_close(&mut self, dbid: u64, client: Client, timeout: u32) {
        self.channels.next_close += 1;
        let number = self.channels.next_close;
        if self.channels.get(dbid).is_some_and(|channel| channel.connection.is_none()) {
            let mut text = "peer is offline, will negotiate once they reconnect".to_owned();
            if timeout > 0 {
                text += &format!(" ({timeout} seconds before unilateral close)");
            }
            self.notify_command(&client, LogLevel::Info, &format!("{text}."));
        }
        self.log_main(LogLevel::Debug, &format!("close_command: timeout = {timeout}"));
        if timeout > 0 {
            let wait = Duration::from_secs(timeout.into());
            self.out.push(Output::SetTimer(Timer::CloseChannel(number), wait));
        }
        self.channels.closes.push(CloseCommand { number, dbid, client });
    }

    /// The peer has had its time.
    pub(crate) fn close_timeout(&mut self, number: u64) {
        let close = self.channels.closes.iter().find(|close| close.number == number);
        let Some((dbid, client)) = close.map(|close| (close.dbid, close.client.clone())) else { return };
        self.notify_command(&client, LogLevel::Info, "Timed out, forcing close.");
        let why = "Forcibly closed by `close` command timeout";
        self.fail_channel(dbid, Cause::User, why, Some(why));
    }

    /// What ends the channel is on its way: those who wait for it are answered.
    pub(super) fn resolve_closes(&mut self, dbid: u64, txs: &[Transaction]) {
        let mutual = self.channels.get(dbid).is_some_and(|channel| channel.state == ChannelState::Complete);
        for close in self.take_closes(dbid) {
            let mut result = Map::new();
            let raw: Vec<String> = txs.iter().map(serialize_hex).collect();
            let ids: Vec<String> = txs.iter().map(|tx| tx.compute_txid().to_string()).collect();
            if self.profile.close_lists_txs() {
                result.insert("txs".to_owned(), raw.into());
                result.insert("txids".to_owned(), ids.into());
            } else if let (Some(raw), Some(id)) = (raw.first(), ids.first()) {
                result.insert("tx".to_owned(), raw.as_str().into());
                result.insert("txid".to_owned(), id.as_str().into());
            }
            result.insert("type".to_owned(), if mutual { "mutual" } else { "unilateral" }.into());
            self.reply(&close.client, &result);
        }
    }

    /// The channel is gone, and was not closed.
    pub(super) fn fail_closes(&mut self, dbid: u64) {
        for close in self.take_closes(dbid) {
            let error = RpcError::new(code::LIGHTNINGD, "Channel forgotten before proper close.");
            self.reply_error(&close.client, &error);
        }
    }

    fn take_closes(&mut self, dbid: u64) -> Vec<CloseCommand> {
        let all = std::mem::take(&mut self.channels.closes);
        let (of_it, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|close| close.dbid == dbid);
        self.channels.closes = others;
        for close in &of_it {
            self.out.push(Output::CancelTimer(Timer::CloseChannel(close.number)));
        }
        of_it
    }

    /// The peer wants to close.
    pub(super) fn shutdown_received(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let (state, script) = (channel.state, channel.close_to.clone());
        channel.bolt.shutdown(script);
        if state < ChannelState::ShuttingDown {
            self.channel_state(dbid, ChannelState::ShuttingDown, Cause::Remote, "Peer closes channel");
            self.own_channel_changed(dbid);
        }
    }

    /// Both want to close, and no HTLC is left: the fee is to be found.
    pub(super) fn start_closing(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let final_feerate = channel.bolt.feerate_per_kw(Side::Local);
        let (state, fees, connection) = (channel.state, channel.close_fees, channel.connection);
        let floor = self.feerate_floor();
        let wanted = self.feerate(Purpose::MutualClose).unwrap_or((final_feerate / 2).max(floor));
        let most = self.feerate(Purpose::UnilateralClose).unwrap_or(final_feerate);
        let (least, most) = fees.range.unwrap_or((self.feerate_limits().0, most));
        if state == ChannelState::ShuttingDown {
            self.channel_state(dbid, ChannelState::Sigexchange, Cause::Unknown, "Start closingd");
        }
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let fees =
            ClosingFees { min_per_kw: least, wanted_per_kw: wanted, max_per_kw: most, step: fees.step };
        let negotiated = channel.bolt.negotiate_close(fees);
        if let (Err(error), Some(connection)) = (negotiated, connection) {
            self.channel_error(dbid, connection, error);
        }
    }

    /// Both agree on the closing transaction. After a reconnection they may do so again.
    pub(super) fn closing_signed(&mut self, dbid: u64, tx: Transaction, fee_sat: u64) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let txid = tx.compute_txid();
        channel.put_up(format!("We agreed on a closing fee of {fee_sat} satoshi for tx:{txid}"));
        channel.mutual_close = Some(tx);
        let state = channel.state;
        channel.connection = None;
        channel.bolt.disconnected();
        if state == ChannelState::Sigexchange {
            self.channel_state(dbid, ChannelState::Complete, Cause::Unknown, "Closing complete");
            self.drop_to_chain(dbid);
        }
    }
}
