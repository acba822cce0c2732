//! The message that a timestamped Ed25519 cosignature signs: C2SP tlog-cosignature v1.0.1.

/// Times are POSIX seconds up to 2^63 - 1.
const TIME_MAX: u64 = i64::MAX as u64;

/// Returns `cosignature/v1`, the time line and the checkpoint's note text; `None` when the time is too large.
pub(crate) fn message(time_s: u64, text: &str) -> Option<String> {
    (time_s <= TIME_MAX).then(|| format!("cosignature/v1\ntime {time_s}\n{text}"))
}
