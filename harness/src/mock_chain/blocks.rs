//! Blocks of regtest, made in memory: with proof of work, merkle root and witness commitment, and always the same.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Txid, Witness, transaction,
};

/// BIP 141: what the output of a coinbase begins with that commits to the witnesses.
const COMMITMENT_HEADER: [u8; 4] = [0xaa, 0x21, 0xa9, 0xed];

/// The reward until the first halving.
const REWARD: Amount = Amount::from_int_btc(50);

/// A chain and what waits to be in it.
pub(super) struct Blocks {
    chain: Vec<Block>,
    pub(super) mempool: Vec<Transaction>,
    /// How many blocks were ever made: blocks that take the place of others differ from them.
    made: u32,
}

impl Blocks {
    pub(super) fn genesis() -> Self {
        Self { chain: vec![genesis_block(Network::Regtest)], mempool: Vec::new(), made: 0 }
    }

    pub(super) fn height(&self) -> u32 {
        u32::try_from(self.chain.len() - 1).expect("nobody makes as many blocks")
    }

    pub(super) fn tip(&self) -> &Block {
        self.chain.last().expect("the first block stays")
    }

    pub(super) fn at(&self, height: u32) -> Option<&Block> {
        self.chain.get(usize::try_from(height).ok()?)
    }

    /// Mines a block with everything that waits; gives its hash.
    pub(super) fn mine(&mut self) -> BlockHash {
        let transactions = std::mem::take(&mut self.mempool);
        self.mine_with(transactions)
    }

    fn mine_with(&mut self, transactions: Vec<Transaction>) -> BlockHash {
        self.made += 1;
        let tip = self.tip().header;
        let height = self.height() + 1;
        let mut txdata = vec![coinbase(height, self.made)];
        txdata.extend(transactions);
        let header = Header {
            version: Version::NO_SOFT_FORK_SIGNALLING,
            prev_blockhash: tip.block_hash(),
            merkle_root: TxMerkleNode::all_zeros(),
            // A block a minute: it must not depend on when the test is run.
            time: tip.time + 60,
            bits: tip.bits,
            nonce: 0,
        };
        let mut block = Block { header, txdata };
        commit_to_witnesses(&mut block);
        block.header.merkle_root = block.compute_merkle_root().expect("there is a coinbase");
        let target = block.header.target();
        while block.header.validate_pow(target).is_err() {
            block.header.nonce += 1;
        }
        let hash = block.block_hash();
        self.chain.push(block);
        hash
    }

    /// Forks at `height`; what was in a block from there on comes `shift` blocks later.
    pub(super) fn reorganise(&mut self, height: u32, shift: u32) -> Vec<BlockHash> {
        let tip = self.height();
        let new_tip = if height + shift > tip { height + shift } else { tip + 1 };
        let dropped = self.split_off(height);
        let freed: Vec<Transaction> =
            dropped.into_iter().flat_map(|block| block.txdata.into_iter().skip(1)).collect();
        self.mempool.splice(0..0, freed);
        let mut hashes: Vec<BlockHash> = (0..shift).map(|_| self.mine_with(Vec::new())).collect();
        hashes.extend((height + shift..=new_tip).map(|_| self.mine()));
        hashes
    }

    pub(super) fn truncate(&mut self, height: u32) {
        drop(self.split_off(height + 1));
    }

    /// Sends the whole of an unspent coinbase, `value` of it to a script and the rest to anybody.
    pub(super) fn pay(&mut self, script: ScriptBuf, value: Amount) -> Option<Txid> {
        let is_free = |outpoint: &OutPoint| {
            let mut inputs = self.mempool.iter().flat_map(|tx| &tx.input);
            self.unspent(*outpoint).is_some() && inputs.all(|input| input.previous_output != *outpoint)
        };
        let coinbases =
            self.chain.iter().skip(1).map(|block| OutPoint::new(block.txdata[0].compute_txid(), 0));
        let previous_output = coinbases.into_iter().find(is_free)?;
        let rest = TxOut {
            value: REWARD.checked_sub(value)?,
            script_pubkey: Builder::new().push_opcode(OP_TRUE).into_script(),
        };
        let tx = Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn { previous_output, ..TxIn::default() }],
            output: vec![TxOut { value, script_pubkey: script }, rest],
        };
        let txid = tx.compute_txid();
        self.mempool.push(tx);
        Some(txid)
    }

    fn split_off(&mut self, height: u32) -> Vec<Block> {
        let from = usize::try_from(height).unwrap_or(usize::MAX).clamp(1, self.chain.len());
        self.chain.split_off(from)
    }

    /// An output in the chain that nothing in it spends.
    pub(super) fn unspent(&self, wanted: OutPoint) -> Option<&TxOut> {
        let transactions = || self.chain.iter().flat_map(|block| &block.txdata);
        if transactions().flat_map(|tx| &tx.input).any(|input| input.previous_output == wanted) {
            return None;
        }
        let tx = transactions().find(|tx| tx.compute_txid() == wanted.txid)?;
        tx.output.get(usize::try_from(wanted.vout).ok()?)
    }
}

/// The first transaction of a block. It pays to anybody, and differs by `number` from others of its height.
fn coinbase(height: u32, number: u32) -> Transaction {
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig: Builder::new().push_int(height.into()).push_int(number.into()).into_script(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[0; 32]]),
    };
    let reward = TxOut { value: REWARD, script_pubkey: Builder::new().push_opcode(OP_TRUE).into_script() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![reward],
    }
}

fn commit_to_witnesses(block: &mut Block) {
    let root = block.witness_root().expect("there is a coinbase");
    let commitment = Block::compute_witness_commitment(&root, &[0; 32]);
    let mut data = PushBytesBuf::from(COMMITMENT_HEADER);
    data.extend_from_slice(commitment.as_byte_array()).expect("it is short");
    let script: ScriptBuf = Builder::new().push_opcode(OP_RETURN).push_slice(data).into_script();
    block.txdata[0].output.push(TxOut { value: Amount::ZERO, script_pubkey: script });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_valid_and_the_same_in_every_run() {
        let chain = |blocks: u32| {
            let mut chain = Blocks::genesis();
            (0..blocks).map(|_| chain.mine()).for_each(drop);
            chain
        };
        let (one, other) = (chain(17), chain(17));
        assert_eq!(one.tip().block_hash(), other.tip().block_hash());
        for pair in one.chain.windows(2) {
            let [before, block] = pair else { unreachable!("windows of two") };
            assert_eq!(block.header.prev_blockhash, before.block_hash());
            assert!(block.header.validate_pow(block.header.target()).is_ok());
            assert!(block.check_merkle_root() && block.check_witness_commitment());
        }
        // Lower heights are written as an opcode, which this does not read.
        assert_eq!(one.at(17).unwrap().bip34_block_height(), Ok(17));
    }

    #[test]
    fn a_fork_frees_transactions_and_mines_them_later() {
        let mut chain = Blocks::genesis();
        chain.mine();
        let mut tx = coinbase(1, 0);
        tx.input[0].previous_output = OutPoint::new(chain.tip().txdata[0].compute_txid(), 0);
        let spent = tx.input[0].previous_output;
        assert!(chain.unspent(spent).is_some());
        chain.mempool.push(tx.clone());
        chain.mine();
        assert!(chain.unspent(spent).is_none());
        let old = chain.tip().block_hash();

        let hashes = chain.reorganise(2, 1);
        assert_eq!((hashes.len(), chain.height()), (2, 3));
        assert_ne!(hashes[0], old);
        assert_eq!(chain.at(2).unwrap().txdata.len(), 1);
        assert_eq!(chain.at(3).unwrap().txdata[1], tx);
    }
}
