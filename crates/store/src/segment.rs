//! Sealed segments: immutable Parquet files sorted by (slot, seq).
