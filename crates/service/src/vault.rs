//! Encryption at rest for what must be stored but never shown: destination configurations with their secrets.
//!
//! One master key of 256 bits lies in the data directory, in a file that only its owner may read; the service
//! refuses to start when the group or others could. It may come from elsewhere as well ([`MasterKey`]); a fingerprint in
//! the data directory tells a wrong one. The signing keys of all logs are derived from it. Each value is sealed with XChaCha20-Poly1305 under a fresh
//! nonce, bound to a context (what it belongs to), so that two stored values cannot be swapped.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use attestary_ledger::{KeyError, NoteSigner};
use attestary_store::Rng;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Where the master key comes from.
#[derive(Clone, Default)]
pub enum MasterKey {
    /// A file in the data directory, made at the first start.
    #[default]
    DataDirectory,
    /// A file that somebody else made: 32 bytes, or 64 hexadecimal digits.
    File(PathBuf),
    /// The key itself.
    Given(Zeroizing<[u8; 32]>),
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DataDirectory => f.write_str("DataDirectory"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given(hidden)"),
        }
    }
}

impl MasterKey {
    /// Reads a key from its 64 hexadecimal digits.
    pub fn of_text(text: &str) -> Option<Self> {
        unhex(text.trim().as_bytes()).map(Self::Given)
    }
}

/// Name of the file that tells a wrong master key.
const CHECK_FILE: &str = "master.check";
/// Name of the master key's file in the data directory.
pub(crate) const FILE: &str = "master.key";
const NONCE_BYTES: usize = 24;
/// First byte of every sealed value.
const VERSION: u8 = 1;

/// Why the master key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The file cannot be read or written.
    #[error("cannot use the master key file {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner may read the file.
    #[error(
        "{path} has mode {mode:03o}; a secret file must be readable by its owner only (chmod 600)"
    )]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another key than before.
    #[error(
        "the master key is not the one that this data directory was used with ({path} tells): its secrets could not be read \
         and its logs would change their signing keys"
    )]
    OtherKey {
        /// The file with the fingerprint.
        path: PathBuf,
    },
    /// The file does not hold a key.
    #[error(
        "{path} does not hold a master key: {size} bytes instead of 32, or of 64 hexadecimal digits"
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        size: usize,
    },
}

/// Why a sealed value cannot be opened.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("a stored secret cannot be decrypted: another master key, or damaged bytes")]
pub(crate) struct OpenSealedError;

/// Seals and opens stored secrets under the installation's master key, and derives other keys from it.
pub(crate) struct Vault {
    cipher: XChaCha20Poly1305,
    derivation: Hmac<Sha256>,
    master: Zeroizing<[u8; 32]>,
}

impl Vault {
    /// Reads the master key, or makes one when it belongs into `data_dir` and there is none yet.
    pub(crate) fn open(
        data_dir: &Path,
        source: &MasterKey,
        rng: &dyn Rng,
    ) -> Result<Self, VaultError> {
        let key = match source {
            MasterKey::Given(key) => key.clone(),
            MasterKey::File(path) => read_key(path)?,
            MasterKey::DataDirectory => {
                let path = data_dir.join(FILE);
                match read_key(&path) {
                    Err(VaultError::File { source, .. })
                        if source.kind() == io::ErrorKind::NotFound =>
                    {
                        let mut key = Zeroizing::new([0; 32]);
                        rng.fill(&mut *key);
                        let file = |source| VaultError::File { path: path.clone(), source };
                        write_private(&path, &*key).map_err(file)?;
                        key
                    }
                    read => read?,
                }
            }
        };
        let vault = Self::of(&key);
        vault.check_fingerprint(data_dir)?;
        Ok(vault)
    }

    /// Compares the key with the one that the data directory was used with first.
    fn check_fingerprint(&self, data_dir: &Path) -> Result<(), VaultError> {
        let path = data_dir.join(CHECK_FILE);
        let own = self.derive("fingerprint of the master key").map(|byte| format!("{byte:02x}"));
        let own = format!("{}\n", own.concat());
        match fs::read(&path) {
            Ok(known) if known == own.as_bytes() => Ok(()),
            Ok(_) => Err(VaultError::OtherKey { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let written = write_private(&path, own.as_bytes());
                written.map_err(|source| VaultError::File { path, source })
            }
            Err(source) => Err(VaultError::File { path, source }),
        }
    }

    fn of(key: &[u8; 32]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            derivation: derivation(key),
            master: Zeroizing::new(*key),
        }
    }

    /// Returns the key that signs a log's checkpoints in a key epoch.
    pub(crate) fn log_signer(&self, origin: &str, epoch: u32) -> Result<NoteSigner, KeyError> {
        NoteSigner::derive(&self.master, origin, epoch)
    }

    /// Returns the key for one purpose: HMAC-SHA256 of its name under the master key.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; 32] {
        self.derivation.clone().chain_update(purpose.as_bytes()).finalize().into_bytes().into()
    }

    /// Encrypts `plain` for `context`.
    pub(crate) fn seal(&self, plain: &[u8], context: &str, rng: &dyn Rng) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill(&mut nonce);
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let body = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("a configuration is far shorter than the cipher's limit of 256 GiB");
        [&[VERSION][..], &nonce, &body].concat()
    }

    /// Decrypts what [`Self::seal`] made for the same context.
    pub(crate) fn open_sealed(
        &self,
        sealed: &[u8],
        context: &str,
    ) -> Result<Zeroizing<Vec<u8>>, OpenSealedError> {
        let Some((&VERSION, rest)) = sealed.split_first() else { return Err(OpenSealedError) };
        let Some((nonce, body)) = rest.split_at_checked(NONCE_BYTES) else {
            return Err(OpenSealedError);
        };
        let payload = Payload { msg: body, aad: context.as_bytes() };
        self.cipher
            .decrypt(XNonce::from_slice(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| OpenSealedError)
    }
}

fn derivation(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(hidden)")
    }
}

fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let bytes = read_private(path)?;
    if let Ok(key) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(Zeroizing::new(key));
    }
    let refused = || VaultError::Size { path: path.to_owned(), size: bytes.len() };
    unhex(bytes.trim_ascii()).ok_or_else(refused)
}

fn unhex(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = [char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?];
        *byte = (high << 4 | low) as u8;
    }
    Some(key)
}

/// Writes a new file that only its owner may read, and syncs file and directory; fails when it exists.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    match path.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads a secret file, refusing one that the group or others may read.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let file_error = |source| VaultError::File { path: path.to_owned(), source };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).map_err(file_error)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::Readable { path: path.to_owned(), mode });
        }
    }
    fs::read(path).map(Zeroizing::new).map_err(file_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let value = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            bytes.fill(value);
        }
    }

    fn rng() -> Counting {
        Counting(1.into())
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_own_context() {
        let dir = tempfile::tempdir().unwrap();
        let rng = rng();
        let vault = Vault::open(dir.path(), &MasterKey::DataDirectory, &rng).unwrap();
        let sealed = vault.seal(b"whsec_1", "dst_1", &rng);
        assert!(!sealed.windows(7).any(|window| window == b"whsec_1"));
        assert_eq!(&**vault.open_sealed(&sealed, "dst_1").unwrap(), b"whsec_1");
        assert_eq!(vault.open_sealed(&sealed, "dst_2").unwrap_err(), OpenSealedError);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(vault.open_sealed(&damaged, "dst_1").is_err(), "byte {at}");
        }
        assert!(vault.open_sealed(&sealed[..10], "dst_1").is_err());
    }

    #[test]
    fn the_master_key_is_kept_across_starts() {
        let dir = tempfile::tempdir().unwrap();
        let rng = rng();
        let sealed =
            Vault::open(dir.path(), &MasterKey::DataDirectory, &rng).unwrap().seal(b"x", "c", &rng);
        assert_eq!(
            &**Vault::open(dir.path(), &MasterKey::DataDirectory, &rng)
                .unwrap()
                .open_sealed(&sealed, "c")
                .unwrap(),
            b"x"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_master_key_that_the_group_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        Vault::open(dir.path(), &MasterKey::DataDirectory, &rng()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Vault::open(dir.path(), &MasterKey::DataDirectory, &rng()),
            Err(VaultError::Readable { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a_key_may_come_from_elsewhere_but_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let digits = "0f".repeat(32);
        let given = MasterKey::of_text(&format!(" {digits}\n")).unwrap();
        let first = Vault::open(dir.path(), &given, &rng()).unwrap();
        assert!(!dir.path().join(FILE).try_exists().unwrap());
        let path = dir.path().join("elsewhere");
        write_private(&path, digits.as_bytes()).unwrap();
        let second = Vault::open(dir.path(), &MasterKey::File(path), &rng()).unwrap();
        assert_eq!(first.derive("x"), second.derive("x"));
        let other = MasterKey::of_text(&"0e".repeat(32)).unwrap();
        assert!(matches!(
            Vault::open(dir.path(), &other, &rng()),
            Err(VaultError::OtherKey { .. })
        ));
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33)] {
            assert!(MasterKey::of_text(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{given:?}"), "Given(hidden)");
    }

    #[test]
    fn a_file_of_another_size_is_no_master_key() {
        let dir = tempfile::tempdir().unwrap();
        write_private(&dir.path().join(FILE), b"short").unwrap();
        assert!(matches!(
            Vault::open(dir.path(), &MasterKey::DataDirectory, &rng()),
            Err(VaultError::Size { size: 5, .. })
        ));
    }
}
