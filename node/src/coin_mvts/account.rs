//! Movements of the wallet, and of channels that open and close: what each release makes of them.

use super::movement::{Account, ChainMove, ChannelMove, Movement, Tag};
use crate::channel::LocalChannel;
use crate::channel::channel_state::ChannelState;
use crate::state::State;
use crate::wallet::output::WalletOutput;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, Transaction, Txid};
use leyden_bolt::ChannelId;
use leyden_bolt::transaction::Side;

/// The funding transaction of a channel is in a block.
#[derive(Debug, Clone)]
pub(crate) struct ChannelOpen {
    pub(crate) account: Account,
    pub(crate) peer: PublicKey,
    pub(crate) funding: OutPoint,
    pub(crate) height: u32,
    pub(crate) capacity_sat: u64,
    /// What the opener gave away.
    pub(crate) pushed_msat: u64,
    /// We opened it.
    pub(crate) is_opener: bool,
}

/// The funding output of a channel is spent.
#[derive(Debug, Clone)]
pub(crate) struct ChannelClose {
    pub(crate) account: Account,
    pub(crate) funding: OutPoint,
    pub(crate) spending_txid: Txid,
    pub(crate) height: u32,
    pub(crate) capacity_sat: u64,
    /// Our balance in it.
    pub(crate) ours_msat: u64,
    /// How many outputs the spending transaction has.
    pub(crate) output_count: u32,
    /// What of them is ours.
    pub(crate) paid_sat: u64,
    /// The output that paid the wallet directly, as that of a mutual close does.
    pub(crate) to_wallet: Option<OutPoint>,
}

impl State {
    /// An output of the wallet is in a block.
    pub(crate) fn wallet_deposited(&mut self, outpoint: OutPoint, sat: u64, height: u32) {
        let deposit = ChainMove::credit(Account::Wallet, Tag::Deposit, outpoint, sat, height);
        self.coin_movement(&Movement::Chain(deposit));
    }

    /// A transaction in a block spends these outputs of the wallet.
    pub(crate) fn wallet_spent(&mut self, outputs: &[WalletOutput], tx: &Transaction, height: u32) {
        let txid = tx.compute_txid();
        let debit = |tag, outpoint, sat| {
            Movement::Chain(ChainMove::debit(Account::Wallet, tag, outpoint, sat, txid, height))
        };
        if !self.profile.tells_withdrawals_by_output() {
            for WalletOutput { outpoint, value_sat, .. } in outputs {
                self.coin_movement(&debit(Tag::Withdrawal, *outpoint, *value_sat));
            }
            return;
        }
        for output in outputs {
            self.coin_movement(&debit(Tag::SpendTrack, output.outpoint, 0));
        }
        let mut fee: u64 = outputs.iter().map(|output| output.value_sat).sum();
        for (vout, output) in (0..).zip(&tx.output) {
            let sat = output.value.to_sat();
            fee = fee.saturating_sub(sat);
            self.coin_movement(&debit(Tag::Withdrawal, OutPoint { txid, vout }, sat));
        }
        // With inputs of others, nobody knows whose fee it is.
        if outputs.len() == tx.input.len() {
            self.coin_movement(&debit(Tag::ChainFees, OutPoint { txid, vout: 0 }, fee));
        }
    }

    /// The wallet has sent coins to somebody else; the transaction is in no block yet.
    pub(crate) fn wallet_sent(&mut self, outpoint: OutPoint, sat: u64) {
        let mut deposit = ChainMove::credit(Account::External, Tag::Deposit, outpoint, sat, 0);
        deposit.originating = Some(Account::Wallet);
        self.coin_movement(&Movement::Chain(deposit));
    }

    /// A channel's funding transaction is in a block (`channel_control.c:record_channel_open`).
    pub(crate) fn channel_opened_movement(&mut self, open: &ChannelOpen) {
        let ChannelOpen { account, funding, height, capacity_sat, pushed_msat, is_opener, .. } = *open;
        let tag = if self.profile.tells_withdrawals_by_output() { Tag::Deposit } else { Tag::ChannelOpen };
        let credit_msat = if is_opener { capacity_sat * 1000 } else { 0 };
        self.coin_movement(&Movement::Chain(ChainMove {
            credit_msat,
            peer: Some(open.peer),
            extra_tags: if is_opener { vec![Tag::Opener] } else { Vec::new() },
            ..ChainMove::credit(account, tag, funding, capacity_sat, height)
        }));
        if pushed_msat > 0 {
            let (credit_msat, debit_msat) = if is_opener { (0, pushed_msat) } else { (pushed_msat, 0) };
            self.coin_movement(&Movement::Channel(ChannelMove {
                account,
                tag: Tag::Pushed,
                credit_msat,
                debit_msat,
                payment_hash: None,
                part: None,
                fees_msat: 0,
            }));
        }
    }

    /// A channel's funding output is spent (`onchain_control.c:onchaind_funding_spent`).
    pub(crate) fn channel_closed_movement(&mut self, close: &ChannelClose) {
        let ChannelClose { account, funding, spending_txid, height, ours_msat, .. } = *close;
        let debit = |tag, outpoint, sat| ChainMove::debit(account, tag, outpoint, sat, spending_txid, height);
        if !self.profile.tells_withdrawals_by_output() {
            return self.coin_movement(&Movement::Chain(ChainMove {
                debit_msat: ours_msat,
                output_count: Some(close.output_count),
                ..debit(Tag::ChannelClose, funding, close.capacity_sat)
            }));
        }
        self.coin_movement(&Movement::Chain(ChainMove {
            debit_msat: ours_msat.saturating_sub(close.paid_sat * 1000),
            ..debit(Tag::ChainFees, funding, 0)
        }));
        if let Some(outpoint) = close.to_wallet {
            self.coin_movement(&Movement::Chain(debit(Tag::Withdrawal, outpoint, close.paid_sat)));
        }
    }

    /// An output of a closed channel went to the wallet, less a fee.
    pub(crate) fn swept_movement(&mut self, debit: ChainMove, fee_msat: u64) {
        if !self.profile.tells_withdrawals_by_output() {
            return self.coin_movement(&Movement::Chain(debit));
        }
        let paid_msat = debit.debit_msat.saturating_sub(fee_msat);
        for (tag, debit_msat) in [(Tag::ChainFees, fee_msat), (Tag::Withdrawal, paid_msat)] {
            self.coin_movement(&Movement::Chain(ChainMove { tag, debit_msat, ..debit.clone() }));
        }
    }

    /// The channels of `balance_snapshot`, with our balance in msat.
    pub(super) fn channel_balances(&self) -> Vec<(ChannelId, u64)> {
        let balance = |channel: &LocalChannel| (channel.channel_id(), channel.bolt.balance_msat(Side::Local));
        let open = self.channels.iter().filter(|channel| channel.scid.is_some());
        open.filter(|channel| channel.state < ChannelState::FundingSpendSeen).map(balance).collect()
    }
}
