//! The limits on submitted events, checked before anything is built from them.

/// Limits of one event and of one batch. The defaults are the documented ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one event's JSON, white space included.
    pub event_bytes_max: usize,
    /// Nesting of objects and arrays; the event object itself is depth 1.
    pub depth_max: usize,
    /// Scalars (flattened fields) of one event.
    pub fields_max: usize,
    /// Elements of one array.
    pub array_max: usize,
    /// Bytes of one unescaped string.
    pub string_bytes_max: usize,
    /// Bytes of one unescaped object key.
    pub key_bytes_max: usize,
    /// Events in one batch.
    pub batch_events_max: usize,
    /// Bytes of one batch after decompression.
    pub batch_bytes_max: usize,
    /// Decompressed bytes allowed per compressed byte.
    pub ratio_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes_max: 64 * 1024,
            depth_max: 16,
            fields_max: 512,
            array_max: 1_000,
            string_bytes_max: 32 * 1024,
            key_bytes_max: 256,
            batch_events_max: 1_000,
            batch_bytes_max: 10 * 1024 * 1024,
            ratio_max: 100,
        }
    }
}

impl Limits {
    /// The largest `event_bytes_max` an operator may configure.
    pub const EVENT_BYTES_CEILING: usize = 256 * 1024;
}
