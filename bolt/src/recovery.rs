//! The argument of `--recover`: the secret of a lost node, in any of the forms that lightningd takes
//! (`lightningd/options.c:hsm_secret_arg`).

use bip39::Mnemonic;
use codex32::Codex32String;
use thiserror::Error;

/// What a codex32 string of a node's secret begins with.
const HRP: &str = "cl";

/// How long a secret is.
const LENGTH: usize = 32;

/// Why an argument is no secret; the texts are lightningd's, as far as it has its own.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecoveryError {
    /// It looks like codex32, and is not.
    #[error("{0}")]
    Codex32(&'static str),
    /// One share of several (BIP 93).
    #[error("This is only one share of codex32!")]
    Share,
    /// Not 32 bytes.
    #[error("Invalid length: must be 32 bytes")]
    Length,
    /// None of the forms.
    #[error("Not a valid mnemonic, hex, or codex32 string")]
    Unknown,
}

/// The contents of the `hsm_secret` file that `secret` stands for: a codex32 string with 32 bytes, 64 hex digits, or the words of a
/// mnemonic without a passphrase.
///
/// # Errors
///
/// If it is none of these.
pub fn hsm_secret_file(secret: &str) -> Result<Vec<u8>, RecoveryError> {
    let looks_like_codex32 = secret.to_ascii_lowercase().starts_with(HRP);
    match Codex32String::from_string(secret.to_owned()) {
        Ok(codex32) if looks_like_codex32 => return unshared(&codex32),
        Err(error) if looks_like_codex32 => return Err(RecoveryError::Codex32(why(&error))),
        _ => {}
    }
    if let Ok(bytes) = hex_bytes(secret) {
        return if bytes.len() == LENGTH { Ok(bytes) } else { Err(RecoveryError::Length) };
    }
    let mnemonic = Mnemonic::parse_normalized(secret).map_err(|_| RecoveryError::Unknown)?;
    Ok([&[0; LENGTH], mnemonic.to_string().as_bytes()].concat())
}

/// lightningd's words for the commonest mistake, and for the others that there is one.
fn why(error: &codex32::Error) -> &'static str {
    match error {
        codex32::Error::InvalidChecksum { .. } => "Invalid checksum!",
        codex32::Error::InvalidLength(_) => "Invalid length!",
        codex32::Error::InvalidThreshold(_) => "Invalid threshold!",
        codex32::Error::InvalidShareIndex(_) => "Expected share index s for threshold 0!",
        _ => "Not a valid bech32 string!",
    }
}

fn unshared(codex32: &Codex32String) -> Result<Vec<u8>, RecoveryError> {
    // The threshold, which is 0 if there are no shares, is the digit behind the separator.
    let text = codex32.to_string();
    if text.as_bytes().get(HRP.len() + 1) != Some(&b'0') {
        return Err(RecoveryError::Share);
    }
    let data = codex32.parts().data();
    if data.len() == LENGTH { Ok(data) } else { Err(RecoveryError::Length) }
}

fn hex_bytes(text: &str) -> Result<Vec<u8>, bitcoin::hex::HexToBytesError> {
    bitcoin::hex::FromHex::from_hex(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use codex32::Fe;

    fn codex32(threshold: usize, share: Fe, data: &[u8]) -> String {
        Codex32String::from_seed(HRP, threshold, "leet", share, data).unwrap().to_string()
    }

    #[test]
    fn each_form_gives_the_file() {
        let secret = [7; LENGTH];
        assert_eq!(hsm_secret_file(&codex32(0, Fe::S, &secret)).unwrap(), secret);
        assert_eq!(hsm_secret_file(&"07".repeat(LENGTH)).unwrap(), secret);
        let words = Mnemonic::from_entropy(&[7; 16]).unwrap().to_string();
        let file = hsm_secret_file(&words).unwrap();
        assert_eq!(file.split_at(LENGTH), ([0; LENGTH].as_slice(), words.as_bytes()));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let mut damaged = codex32(0, Fe::S, &[7; LENGTH]);
        damaged.pop();
        damaged.push('q');
        assert_eq!(hsm_secret_file(&damaged), Err(RecoveryError::Codex32("Invalid checksum!")));
        assert_eq!(hsm_secret_file(&codex32(2, Fe::A, &[7; LENGTH])), Err(RecoveryError::Share));
        assert_eq!(hsm_secret_file(&codex32(0, Fe::S, &[7; 16])), Err(RecoveryError::Length));
        assert_eq!(hsm_secret_file("0707"), Err(RecoveryError::Length));
        assert_eq!(hsm_secret_file("seven of nine"), Err(RecoveryError::Unknown));
    }
}
