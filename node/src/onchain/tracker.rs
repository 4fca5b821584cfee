//! A closed channel, from the transaction that spent its funding output to the day on which nothing of it can be undone
//! (`onchaind/onchaind.c`). It knows no chain and no wallet: it is told what happened, and says what is to be done.

use super::case::{Case, End};
use super::effect::Effect;
use super::names::{OutputKind, TxKind};
use super::tracked::{IRREVOCABLE_DEPTH, Means, Proposal, Resolution, TrackedOutput};
use crate::event::LogLevel;
use bitcoin::{OutPoint, Transaction, Txid};
use leyden_bolt::transaction::Side;

/// From this depth on a transaction counts as there to stay: HTLCs are failed back then.
pub(super) const REASONABLE_DEPTH: u32 = 3;

/// A closed channel.
#[derive(Debug)]
pub(crate) struct Tracker {
    pub(super) case: Case,
    pub(super) end: End,
    /// The transaction that spent the funding output, and the height of its block.
    closing_txid: Txid,
    pub(super) height: u32,
    /// The funding output comes first.
    pub(super) outputs: Vec<TrackedOutput>,
    /// HTLCs of ours that have no output: they are failed when the commitment is there to stay.
    pub(super) missing: Vec<u64>,
    /// What was said last of how far it is.
    status: Option<String>,
    is_done: bool,
    pub(super) effects: Vec<Effect>,
}

impl Tracker {
    /// Begins with the transaction that spends the funding output, in a block at `height`.
    pub(crate) fn new(case: Case, tx: &Transaction, height: u32) -> Self {
        let (end, log) = case.end(tx);
        let mut tracker = Self {
            case,
            end,
            closing_txid: tx.compute_txid(),
            height,
            outputs: Vec::new(),
            missing: Vec::new(),
            status: None,
            is_done: false,
            effects: Vec::new(),
        };
        let (funding, capacity) = (tracker.case.terms.funding, tracker.case.terms.capacity_sat);
        // The height of the funding output does not matter to anybody.
        tracker.track(TrackedOutput::new(
            TxKind::FundingTransaction,
            OutputKind::FundingOutput,
            funding,
            capacity,
            0,
        ));
        for line in log {
            tracker.debug(line);
        }
        if tracker.end == End::Mutual {
            tracker.record_mutual_close(tx);
        }
        tracker
    }

    /// Says what every output is and what is to be done about it.
    pub(crate) fn begin(&mut self, tx: &Transaction) {
        self.resolve_by(0, self.closing_txid, self.end.kind());
        self.take_apart(tx);
        let known = self.case.htlcs.iter().filter(|known| known.htlc.offered_by == Side::Remote);
        let known = known.filter_map(|known| Some((known.htlc.id, known.preimage?)));
        for (id, preimage) in known.collect::<Vec<_>>() {
            self.know_preimage(id, preimage);
        }
        self.tell_status();
    }

    /// What is told of the channel from now on.
    pub(crate) fn headline(&self) -> &'static str {
        match self.end {
            End::Mutual => "Tracking mutual close transaction",
            End::Ours => "Tracking our own unilateral close",
            End::Theirs(_) => "Tracking their unilateral close",
            End::Revoked(_) => "Tracking their illegal close: taking all funds",
            End::Unknown if self.outputs.iter().any(|output| output.kind == OutputKind::OutputToUs) => {
                "ERROR: Unknown commitment, recovering our funds!"
            }
            End::Unknown => "ERROR: FUNDS LOST.  Unknown commitment!",
        }
    }

    /// How far it is.
    pub(crate) fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    pub(crate) fn closing_txid(&self) -> Txid {
        self.closing_txid
    }

    pub(crate) fn closing_height(&self) -> u32 {
        self.height
    }

    pub(crate) fn case(&self) -> &Case {
        &self.case
    }

    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The places of outputs whose transaction can go into the next block and was not sent.
    pub(crate) fn due(&self, height: u32) -> Vec<usize> {
        let due = self.outputs.iter().enumerate().filter(|(_, output)| output.is_due(height));
        due.map(|(place, _)| place).collect()
    }

    pub(crate) fn output(&self, place: usize) -> &TrackedOutput {
        &self.outputs[place]
    }

    /// The output for which this transaction was sent.
    pub(crate) fn sent_for(&self, txid: Txid) -> Option<usize> {
        let sent = |output: &TrackedOutput| output.proposal.as_ref().and_then(|proposal| proposal.sent);
        self.outputs.iter().position(|output| output.resolved.is_none() && sent(output) == Some(txid))
    }

    /// This transaction for an output was sent; no other need be made.
    pub(crate) fn sent(&mut self, place: usize, txid: Txid) {
        if let Some(proposal) = &mut self.outputs[place].proposal {
            proposal.sent = Some(txid);
        }
    }

    /// An output is worth less than the fee: it is left where it is.
    pub(crate) fn not_worthwhile(&mut self, place: usize) {
        self.ignore(place);
        self.tell_status();
    }

    /// Whether this output is followed.
    pub(crate) fn follows(&self, outpoint: OutPoint) -> bool {
        self.outputs.iter().any(|output| output.outpoint == outpoint)
    }

    /// A transaction is as deep as that now.
    pub(crate) fn tx_depth(&mut self, txid: Txid, depth: u32) {
        if txid == self.closing_txid && depth >= REASONABLE_DEPTH && !self.missing.is_empty() {
            self.fail_missing();
        }
        for place in 0..self.outputs.len() {
            let output = &mut self.outputs[place];
            match output.resolved {
                Some(resolved) if resolved.txid == txid => self.resolution_depth(place, resolved, depth),
                None if output.outpoint.txid == txid => {
                    output.depth = depth;
                    self.ignore_if_late(place);
                }
                _ => {}
            }
        }
        self.tell_status();
    }

    fn fail_missing(&mut self) {
        let missing = std::mem::take(&mut self.missing);
        self.debug(format!("Sending {} missing htlc messages", missing.len()));
        for id in missing {
            self.effects.push(Effect::Failed { id });
        }
    }

    fn resolution_depth(&mut self, place: usize, resolved: Resolution, depth: u32) {
        let output = &mut self.outputs[place];
        output.resolved = Some(Resolution { depth, ..resolved });
        let name = output.name();
        let failed = output.htlc.filter(|_| {
            matches!(resolved.kind, TxKind::OurHtlcTimeoutTx | TxKind::OurHtlcTimeoutToUs)
                && resolved.depth < REASONABLE_DEPTH
                && depth >= REASONABLE_DEPTH
        });
        self.debug(format!("{name}->{} depth {depth}", resolved.kind));
        if let Some(htlc) = failed {
            self.debug(format!("{name} reached reasonable depth {depth}"));
            self.effects.push(Effect::Failed { id: htlc.id });
        }
    }

    fn ignore_if_late(&mut self, place: usize) {
        let output = &self.outputs[place];
        let ignores =
            output.proposal.as_ref().is_some_and(|proposal| matches!(proposal.means, Means::Ignore));
        if ignores && output.depth_required().is_some_and(|required| output.depth >= required) {
            self.ignore(place);
            self.record_htlc_left_to_them(place);
        }
    }

    /// Puts an output on the list.
    pub(super) fn track(&mut self, output: TrackedOutput) -> usize {
        self.debug(format!("Tracking output {}: {}", output.outpoint, output.name()));
        self.outputs.push(output);
        self.outputs.len() - 1
    }

    /// Nothing has to be done about an output any more.
    pub(super) fn ignore(&mut self, place: usize) {
        let output = &mut self.outputs[place];
        let text = format!("Ignoring output {}: {}", output.outpoint, output.name());
        output.resolved = Some(Resolution { txid: output.outpoint.txid, depth: 0, kind: TxKind::Itself });
        self.debug(text);
    }

    /// Somebody has resolved an output.
    pub(super) fn resolve_by(&mut self, place: usize, txid: Txid, kind: TxKind) {
        self.outputs[place].resolved = Some(Resolution { txid, depth: 0, kind });
        let name = self.outputs[place].name();
        self.debug(format!("Resolved {name} by {kind} ({txid})"));
    }

    /// Has a transaction made that spends an output, for the block `block` or a later one.
    pub(super) fn propose(&mut self, place: usize, kind: TxKind, means: Means, block: u32) {
        let output = &mut self.outputs[place];
        let (name, height) = (output.name(), output.height);
        output.proposal = Some(Proposal { kind, means, block, sent: None });
        let after = block - 1;
        let more = i64::from(after) - i64::from(height);
        self.debug(format!(
            "Telling lightningd about {kind} to resolve {name} after block {after} ({more} more blocks)"
        ));
    }

    /// Leaves an output to the peer from the block `block` on.
    pub(super) fn propose_to_ignore(&mut self, place: usize, kind: TxKind, block: u32) {
        let output = &mut self.outputs[place];
        let (name, height) = (output.name(), output.height);
        output.proposal = Some(Proposal { kind, means: Means::Ignore, block, sent: None });
        let more = i64::from(block) - i64::from(height);
        self.debug(format!("Propose ignoring {name} as {kind} after block {block} ({more} more blocks)"));
        if block <= height {
            self.ignore(place);
        }
    }

    /// What was sent for an output need not be sent again.
    pub(super) fn abandon(&mut self, place: usize) {
        let sent = self.outputs[place].proposal.as_ref().and_then(|proposal| proposal.sent);
        self.effects.extend(sent.map(Effect::Abandon));
    }

    pub(super) fn debug(&mut self, text: String) {
        self.effects.push(Effect::Log(LogLevel::Debug, text));
    }

    /// Says how far it is, and ends it when nothing is left.
    pub(super) fn tell_status(&mut self) {
        let status = self.describe();
        self.debug(format!("billboard: {status}"));
        self.status = Some(status);
        if !self.is_done && self.outputs.iter().all(TrackedOutput::is_irrevocable) {
            self.is_done = true;
            for place in 0..self.outputs.len() {
                self.abandon(place);
            }
            self.effects.push(Effect::Forget);
        }
    }

    fn describe(&self) -> String {
        let unresolved = self.outputs.iter().filter(|output| !output.is_irrevocable()).count();
        let proposed = self.outputs.iter().filter(|output| output.resolved.is_none());
        let first = proposed.filter_map(|output| Some((output.proposal.as_ref()?, output)));
        if let Some((proposal, output)) = first.min_by_key(|(proposal, _)| proposal.block) {
            let (what, with) = (format!("{} ({})", output.kind, output.outpoint), proposal.kind);
            let left = output.depth_required().unwrap_or(0).saturating_sub(output.depth);
            return match left {
                0 => format!(
                    "{unresolved} outputs unresolved: waiting confirmation that we spent {what} using {with}"
                ),
                left => format!(
                    "{unresolved} outputs unresolved: in {left} blocks will spend {what} using {with}"
                ),
            };
        }
        let depths = self.outputs.iter().filter_map(|output| output.resolved.map(|resolved| resolved.depth));
        let left = IRREVOCABLE_DEPTH.saturating_sub(depths.min().unwrap_or(0));
        format!("All outputs resolved: waiting {left} more blocks before forgetting channel")
    }
}
