//! Encryption at rest for what must be stored but never shown: destination configurations with their secrets.
//!
//! One master key of 256 bits lies in the data directory, in a file that only its owner may read; the service
//! refuses to start when the group or others could. Each value is sealed with XChaCha20-Poly1305 under a fresh
//! nonce, bound to a context (what it belongs to), so that two stored values cannot be swapped.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use attestary_store::Rng;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

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
    /// The file does not hold a key.
    #[error("{path} does not hold a master key: {size} bytes instead of 32")]
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
}

impl Vault {
    /// Reads the master key of `data_dir`, or makes one when there is none yet.
    pub(crate) fn open(data_dir: &Path, rng: &dyn Rng) -> Result<Self, VaultError> {
        let path = data_dir.join(FILE);
        let key = match read_private(&path) {
            Ok(bytes) => bytes,
            Err(VaultError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new(vec![0; 32]);
                rng.fill(&mut key);
                write_private(&path, &key)
                    .map_err(|source| VaultError::File { path: path.clone(), source })?;
                key
            }
            Err(error) => return Err(error),
        };
        match XChaCha20Poly1305::new_from_slice(&key) {
            Ok(cipher) => Ok(Self { cipher, derivation: derivation(&key) }),
            Err(_) => Err(VaultError::Size { path, size: key.len() }),
        }
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
        let vault = Vault::open(dir.path(), &rng).unwrap();
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
        let sealed = Vault::open(dir.path(), &rng).unwrap().seal(b"x", "c", &rng);
        assert_eq!(
            &**Vault::open(dir.path(), &rng).unwrap().open_sealed(&sealed, "c").unwrap(),
            b"x"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_master_key_that_the_group_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        Vault::open(dir.path(), &rng()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Vault::open(dir.path(), &rng()),
            Err(VaultError::Readable { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a_file_of_another_size_is_no_master_key() {
        let dir = tempfile::tempdir().unwrap();
        write_private(&dir.path().join(FILE), b"short").unwrap();
        assert!(matches!(Vault::open(dir.path(), &rng()), Err(VaultError::Size { size: 5, .. })));
    }
}
