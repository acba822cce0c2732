//! The head register: how many signing batches there are, kept where no backup of the data reaches.
//!
//! One small value per partition. It is trusted: whoever can write it can make the service sign a fork.

use std::{fs, io, io::Write as _, path::PathBuf};

use super::Mark;

/// What the register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Value {
    /// The last batch that may be shown.
    pub mark: Mark,
    /// Epoch of the partition owner that wrote it.
    pub owner_epoch: u64,
}

/// Why the register cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// It cannot be read or written.
    #[error("cannot access the head register {path}")]
    Access {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its bytes are no register value.
    #[error("the head register {path} does not hold a value of this version")]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// It does not hold the value that was to be replaced.
    #[error("the head register was changed by somebody else")]
    Changed,
}

/// A value that is replaced by compare-and-swap.
pub trait Register {
    /// Returns the value; the default one when none was ever written.
    fn read(&self) -> Result<Value, RegisterError>;

    /// Replaces the value when its mark is `from`. Durable when it returns `Ok`; a failed swap may have happened.
    fn swap(&self, from: &Mark, to: Value) -> Result<(), RegisterError>;

    /// Replaces the value whatever it is: a person decided that.
    fn replace(&self, to: Value) -> Result<(), RegisterError>;
}

/// A register in a file of its own; one process at a time uses it, which the data directory's lock ensures.
#[derive(Debug, Clone)]
pub struct FileRegister {
    path: PathBuf,
}

/// First line of the file.
const MAGIC: &str = "attestary head register v1";
/// Longest file.
const BYTES_MAX: u64 = 1024;

impl FileRegister {
    /// Uses the register of `partition` in `directory`, which is made when it is missing.
    pub fn open(directory: PathBuf, partition: u32) -> Result<Self, RegisterError> {
        let made = fs::create_dir_all(&directory);
        made.map_err(|source| RegisterError::Access { path: directory.clone(), source })?;
        Ok(Self { path: directory.join(format!("heads-{partition:04}")) })
    }

    /// Uses the register of the anchor log, whose heads are fixed apart from those of tenants.
    pub fn of_anchor(directory: PathBuf) -> Result<Self, RegisterError> {
        let register = Self::open(directory, 0)?;
        Ok(Self { path: register.path.with_file_name("anchor") })
    }

    fn access(&self) -> impl Fn(io::Error) -> RegisterError {
        |source| RegisterError::Access { path: self.path.clone(), source }
    }

    fn write(&self, value: Value) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(encode(&value).as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        match self.path.parent() {
            Some(directory) => fs::File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Register for FileRegister {
    fn read(&self) -> Result<Value, RegisterError> {
        let length = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Value::default()),
            Err(error) => return Err(self.access()(error)),
        };
        let bad = || RegisterError::Form { path: self.path.clone() };
        if length > BYTES_MAX {
            return Err(bad());
        }
        let bytes = fs::read(&self.path).map_err(self.access())?;
        std::str::from_utf8(&bytes).ok().and_then(decode).ok_or_else(bad)
    }

    fn swap(&self, from: &Mark, to: Value) -> Result<(), RegisterError> {
        let present = self.read()?;
        if present.mark != *from || present.owner_epoch > to.owner_epoch {
            return Err(RegisterError::Changed);
        }
        self.replace(to)
    }

    fn replace(&self, to: Value) -> Result<(), RegisterError> {
        self.write(to).map_err(self.access())
    }
}

fn encode(value: &Value) -> String {
    let hash: String = value.mark.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{MAGIC}\nbatch {}\nhash {hash}\nowner {}\n", value.mark.batch, value.owner_epoch)
}

fn decode(text: &str) -> Option<Value> {
    let mut lines = text.lines();
    let mut value = |name: &str| lines.next()?.strip_prefix(name);
    value(MAGIC).filter(|rest| rest.is_empty())?;
    let batch = value("batch ")?.parse().ok()?;
    let hash = unhex(value("hash ")?)?;
    let owner_epoch = value("owner ")?.parse().ok()?;
    let value = Value { mark: Mark { batch, hash }, owner_epoch };
    // One form only: whatever else the file holds, it is not ours.
    (encode(&value) == text).then_some(value)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(batch: u64) -> Value {
        Value { mark: Mark { batch, hash: [batch as u8; 32] }, owner_epoch: 3 }
    }

    #[test]
    fn a_value_is_swapped_only_from_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let register = FileRegister::open(dir.path().join("register"), 0).unwrap();
        assert_eq!(register.read().unwrap(), Value::default());
        register.swap(&Mark::default(), value(1)).unwrap();
        assert!(matches!(register.swap(&Mark::default(), value(2)), Err(RegisterError::Changed)));
        register.swap(&value(1).mark, value(2)).unwrap();
        let other_start = FileRegister::open(dir.path().join("register"), 0).unwrap();
        assert_eq!(other_start.read().unwrap(), value(2));
        let older_owner = Value { owner_epoch: 2, ..value(3) };
        assert!(matches!(register.swap(&value(2).mark, older_owner), Err(RegisterError::Changed)));
    }

    #[test]
    fn other_bytes_are_refused_and_not_taken_for_an_empty_register() {
        let dir = tempfile::tempdir().unwrap();
        let register = FileRegister::open(dir.path().to_owned(), 0).unwrap();
        let good = encode(&value(7));
        for bad in [
            String::new(),
            good[..good.len() - 1].to_owned(),
            good.replace("batch 7", "batch 07"),
            good.replace("hash 07", "hash 7"),
            good.replace(MAGIC, "attestary head register v2"),
            format!("{good}more\n"),
            "x".repeat(2000),
        ] {
            fs::write(&register.path, &bad).unwrap();
            assert!(matches!(register.read(), Err(RegisterError::Form { .. })), "{bad:?}");
        }
        fs::write(&register.path, good).unwrap();
        assert_eq!(register.read().unwrap(), value(7));
    }
}
