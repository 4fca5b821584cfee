//! Payments from the coinbases that were mined, signed here: bitcoind needs no wallet, which would be slow to make.

use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::key::{CompressedPublicKey, PrivateKey, Secp256k1};
use bitcoin::secp256k1::{All, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::Bitcoind;
use crate::error::{Error, Result};

/// Above every relay minimum, and no more than a test can spare.
const FEE_SAT_PER_VBYTE: u64 = 10;

/// Sizes of a transaction with P2WPKH inputs, in vbytes, rounded up: its frame, an input, an output of any standard kind.
const FRAME_VBYTES: u64 = 11;
const INPUT_VBYTES: u64 = 69;
const OUTPUT_VBYTES: u64 = 43;

/// Bitcoin Core does not relay outputs below this.
const DUST_SAT: u64 = 546;

/// Consensus: a coinbase may be spent in the hundredth block after its own.
const COINBASE_MATURITY: u32 = 100;

/// The keys that coinbases are mined to, one after the other; they are the same in every net.
#[derive(Debug)]
pub(super) struct Wallet {
    secp: Secp256k1<All>,
    /// The keys 0 to this one have been used.
    current_key: AtomicU32,
    /// The lock also keeps two payments from choosing the same coins.
    purse: Mutex<Purse>,
}

/// Outputs of ours that may be unspent. bitcoind could search for them, but takes 60 ms for it.
#[derive(Debug, Default)]
struct Purse {
    outpoints: Vec<OutPoint>,
    /// The coinbases up to this height have been taken in.
    height: u32,
}

/// A coin of ours.
#[derive(Debug)]
struct Coin {
    outpoint: OutPoint,
    amount: Amount,
    key: u32,
}

/// What `gettxout` says of an output that is unspent, also by the mempool.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TxOutInfo {
    #[serde(with = "bitcoin::amount::serde::as_btc")]
    value: Amount,
    confirmations: u32,
    coinbase: bool,
    script_pub_key: ScriptInfo,
}

#[derive(Deserialize)]
struct ScriptInfo {
    hex: ScriptBuf,
}

impl Wallet {
    pub(super) fn new() -> Self {
        Self { secp: Secp256k1::new(), current_key: AtomicU32::new(0), purse: Mutex::default() }
    }

    /// From now on, blocks are mined to another key.
    pub(super) fn turn_key(&self) {
        self.current_key.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn mining_address(&self) -> Address {
        self.address(self.current_key.load(Ordering::Relaxed))
    }

    fn address(&self, key: u32) -> Address {
        Address::p2wpkh(&self.public_key(key), Network::Regtest)
    }

    fn public_key(&self, key: u32) -> CompressedPublicKey {
        CompressedPublicKey(self.secret_key(key).public_key(&self.secp))
    }

    fn secret_key(&self, key: u32) -> SecretKey {
        let hash = sha256::Hash::hash(format!("leyden mines to key {key}").as_bytes());
        SecretKey::from_slice(hash.as_byte_array()).expect("a SHA-256 is below the curve's order")
    }

    fn key_of(&self, script: &ScriptBuf) -> Option<u32> {
        (0..=self.current_key.load(Ordering::Relaxed))
            .find(|key| self.address(*key).script_pubkey() == *script)
    }

    fn sign(&self, mut transaction: Transaction, coins: &[Coin]) -> Transaction {
        let mut witnesses = Vec::new();
        let mut cache = SighashCache::new(&transaction);
        for (index, coin) in coins.iter().enumerate() {
            let script = self.address(coin.key).script_pubkey();
            let kind = EcdsaSighashType::All;
            let hash = cache
                .p2wpkh_signature_hash(index, &script, coin.amount, kind)
                .expect("a P2WPKH script of ours");
            let signature = self.secp.sign_ecdsa(&hash.into(), &self.secret_key(coin.key));
            let signature = bitcoin::ecdsa::Signature { signature, sighash_type: kind };
            witnesses.push(Witness::p2wpkh(&signature, &self.public_key(coin.key).0));
        }
        for (input, witness) in transaction.input.iter_mut().zip(witnesses) {
            input.witness = witness;
        }
        transaction
    }
}

impl Bitcoind {
    /// Pays an amount to an address from the mined coinbases, and leaves the transaction in the mempool; gives its id.
    ///
    /// # Errors
    /// If the address is none of regtest, or if the coins that are 100 blocks deep do not suffice.
    #[track_caller]
    pub fn send_to<'a>(
        &'a self,
        address: &'a str,
        amount_sat: u64,
    ) -> impl Future<Output = Result<Txid>> + Send + use<'a> {
        let at = Location::caller();
        async move { self.pay(&[(address, amount_sat)]).await.map_err(|error| error.at(at)) }
    }

    /// As [`Bitcoind::send_to`], to several addresses with one transaction.
    ///
    /// # Errors
    /// As [`Bitcoind::send_to`].
    #[track_caller]
    pub fn send_to_many<'a>(
        &'a self,
        payments_sat: &'a [(&'a str, u64)],
    ) -> impl Future<Output = Result<Txid>> + Send + use<'a> {
        let at = Location::caller();
        async move { self.pay(payments_sat).await.map_err(|error| error.at(at)) }
    }

    /// The private key of the address that blocks are mined to, in WIF: for `importprivkey` and descriptors.
    pub fn mining_key(&self) -> String {
        let key = self.wallet.secret_key(self.wallet.current_key.load(Ordering::Relaxed));
        PrivateKey::new(key, Network::Regtest).to_wif()
    }

    async fn pay(&self, payments_sat: &[(&str, u64)]) -> Result<Txid> {
        let mut output = payments_sat.iter().map(payment).collect::<Result<Vec<TxOut>>>()?;
        let amount = output.iter().map(|output| output.value).sum();
        // The change is an output as well.
        let outputs = output.len() + 1;

        let mut purse = self.wallet.purse.lock().await;
        let (coins, fee) = self.choose_coins(amount, outputs, &mut purse).await?;
        let sum: Amount = coins.iter().map(|coin| coin.amount).sum();
        let rest = sum - amount - fee;
        let change = (rest.to_sat() >= DUST_SAT).then_some(output.len());
        if change.is_some() {
            output.push(TxOut { value: rest, script_pubkey: self.wallet.mining_address().script_pubkey() });
        }
        let spend = |coin: &Coin| TxIn {
            previous_output: coin.outpoint,
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            ..TxIn::default()
        };
        let input = coins.iter().map(spend).collect();
        let transaction = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output };
        let transaction = self.wallet.sign(transaction, &coins);
        let hex = bitcoin::consensus::encode::serialize_hex(&transaction);
        let txid: Txid = serde_json::from_value(self.rpc("sendrawtransaction", json!([hex])).await?)?;
        if let Some(change) = change {
            purse.outpoints.push(OutPoint::new(txid, u32::try_from(change).expect("outputs are few")));
        }
        Ok(txid)
    }

    /// Coins for an amount and the fee of spending them.
    async fn choose_coins(
        &self,
        amount: Amount,
        outputs: usize,
        purse: &mut Purse,
    ) -> Result<(Vec<Coin>, Amount)> {
        let tip = self.block_count().await?;
        let (mut chosen, mut sum, mut needed) = (Vec::new(), Amount::ZERO, amount);
        let mut searched_anew = false;
        let mut index = 0;
        while chosen.is_empty() || sum < needed {
            if let Some(outpoint) = purse.outpoints.get(index) {
                let Some(coin) = self.spendable(*outpoint).await? else {
                    purse.outpoints.remove(index);
                    continue;
                };
                index += 1;
                sum += coin.amount;
                chosen.push(coin);
                needed = amount + fee(chosen.len(), outputs);
            } else if purse.height + COINBASE_MATURITY <= tip {
                self.take_in_next_coinbase(purse).await?;
            } else if !searched_anew {
                // A reorganisation may have put other coinbases below that height.
                (purse.height, searched_anew) = (0, true);
            } else {
                return Err(Error::test("paying from the mined coinbases")
                    .expected(format!("{} sat in coins that may be spent", needed.to_sat()))
                    .came(format!("there are {} sat", sum.to_sat()))
                    .advice("mine more: a coinbase may be spent 100 blocks later; on regtest it halves every 150 blocks"));
            }
        }
        Ok((chosen, needed - amount))
    }

    async fn take_in_next_coinbase(&self, purse: &mut Purse) -> Result {
        purse.height += 1;
        let hash = self.rpc("getblockhash", json!([purse.height])).await?;
        let mut block = self.rpc("getblock", json!([hash])).await?;
        let coinbase = OutPoint::new(serde_json::from_value(block["tx"][0].take())?, 0);
        if !purse.outpoints.contains(&coinbase) {
            purse.outpoints.push(coinbase);
        }
        Ok(())
    }

    /// A coin of ours that may be spent now; none if it is spent, gone, immature or another's.
    async fn spendable(&self, outpoint: OutPoint) -> Result<Option<Coin>> {
        let include_mempool = true;
        let info = self.rpc("gettxout", json!([outpoint.txid, outpoint.vout, include_mempool])).await?;
        if info == Value::Null {
            return Ok(None);
        }
        let info: TxOutInfo = serde_json::from_value(info)?;
        if info.coinbase && info.confirmations < COINBASE_MATURITY {
            return Ok(None);
        }
        let key = self.wallet.key_of(&info.script_pub_key.hex);
        Ok(key.map(|key| Coin { outpoint, amount: info.value, key }))
    }
}

fn payment((address, amount_sat): &(&str, u64)) -> Result<TxOut> {
    let refused = |error: bitcoin::address::ParseError| {
        Error::test(format!("paying to {address:?}"))
            .expected("an address of regtest")
            .came(error.to_string())
    };
    let parsed: Address<_> = address.parse().map_err(refused)?;
    let script_pubkey = parsed.require_network(Network::Regtest).map_err(refused)?.script_pubkey();
    Ok(TxOut { value: Amount::from_sat(*amount_sat), script_pubkey })
}

fn fee(inputs: usize, outputs: usize) -> Amount {
    let vbytes = FRAME_VBYTES + INPUT_VBYTES * inputs as u64 + OUTPUT_VBYTES * outputs as u64;
    Amount::from_sat(FEE_SAT_PER_VBYTE * vbytes)
}
