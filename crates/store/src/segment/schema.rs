//! The columns of a segment, their encodings, and the sizes of pages and row groups.
//!
//! Columns are found by name, so later versions may add some; `body`, `seed`, `digest` and `disclosures` are nullable
//! because erasure empties the first three and fills the last, which version 1 never did. Numbers behind the sizes (2 M
//! events of 650 B, 1,000 tenants) come from `examples/query_bench.rs`.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::{KeyValue, SortingColumn},
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    },
    schema::types::ColumnPath,
};

use crate::record::TEXT_COLUMNS;

/// Version of the segment format.
pub const FORMAT_VERSION: u32 = 2;

/// Key-value metadata: what kind of file this is.
pub const MAGIC_KEY: &str = "attestary.segment";
/// Value of [`MAGIC_KEY`].
pub const MAGIC: &str = "attestary.segment";
/// Key-value metadata: [`FORMAT_VERSION`] in decimal.
pub const VERSION_KEY: &str = "attestary.format_version";
/// Key-value metadata: the first part of the origin of every log in the file.
pub const LOG_NAME_KEY: &str = "attestary.log_name";
/// Key-value metadata, `yes` or absent: rows of the file lost their payload.
pub const REMOVED_KEY: &str = "attestary.removed";

/// How many rows are kept together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of a row group. A reader decodes one dictionary per column and row group, so smaller groups make small
    /// reads cheaper; bloom filters and statistics are per group too.
    pub row_group_rows: usize,
    /// Rows of a page of a narrow column.
    pub page_rows: usize,
    /// Rows of a page of bodies; a divisor of the other two.
    pub body_page_rows: usize,
}

impl Sizes {
    /// What is written. A page of a narrow column is 10 to 100 KiB decoded, a page of bodies about 160 KiB, so that
    /// one body costs about 0.1 ms.
    pub const STANDARD: Self =
        Self { row_group_rows: 16_384, page_rows: 4_096, body_page_rows: 256 };
}

/// How hard the encoder works on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// Sealing competes with intake.
    Seal,
    /// Merging runs when nothing else does, and what it writes stays for long.
    Merge,
}

impl Effort {
    /// Level of zstd.
    fn zstd_level(self) -> i32 {
        match self {
            Self::Seal => 1,
            Self::Merge => 6,
        }
    }
}

/// Encoded bytes of a row group, for logs of very large events.
pub const ROW_GROUP_BYTES: usize = 64 << 20;
/// Bytes after which a page of bodies ends even with fewer rows.
pub const BODY_PAGE_BYTES: usize = 256 << 10;

/// A column of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    /// The log.
    Slot,
    /// Position in the log.
    Seq,
    /// Identity, 16 bytes.
    Id,
    /// Time of sequencing.
    ReceivedAt,
    /// Time of the event.
    OccurredAt,
    /// 0–10.
    Severity,
    /// Entry flags.
    Flags,
    /// Number of committed fields.
    NFields,
    /// One of [`TEXT_COLUMNS`].
    Text(usize),
    /// Types of the targets.
    TargetTypes,
    /// Ids of the targets.
    TargetIds,
    /// For readers other than us.
    Tenant,
    /// For readers other than us.
    Environment,
    /// The committed members as compact JSON.
    Body,
    /// Source of the salts.
    Seed,
    /// Keyed digest of the submission.
    Digest,
    /// What is left of an event whose payload or fields are gone ([`super::removed`]).
    Disclosures,
    /// Level-4 node of the Merkle tree on the row that completes it.
    Node16,
    /// The client made the id.
    ClientId,
}

impl Column {
    /// Returns the position in the schema; each column is one Parquet leaf, so it is the leaf's number too.
    pub fn index(self) -> usize {
        let texts = TEXT_COLUMNS.len();
        match self {
            Self::Slot => 0,
            Self::Seq => 1,
            Self::Id => 2,
            Self::ReceivedAt => 3,
            Self::OccurredAt => 4,
            Self::Severity => 5,
            Self::Flags => 6,
            Self::NFields => 7,
            Self::Text(column) => 8 + column,
            Self::TargetTypes => 8 + texts,
            Self::TargetIds => 9 + texts,
            Self::Tenant => 10 + texts,
            Self::Environment => 11 + texts,
            Self::Body => 12 + texts,
            Self::Seed => 13 + texts,
            Self::Digest => 14 + texts,
            Self::Disclosures => 15 + texts,
            Self::Node16 => 16 + texts,
            Self::ClientId => 17 + texts,
        }
    }

    /// Returns the name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Seq => "seq",
            Self::Id => "id",
            Self::ReceivedAt => "received_at",
            Self::OccurredAt => "occurred_at",
            Self::Severity => "severity",
            Self::Flags => "flags",
            Self::NFields => "n_fields",
            Self::Text(column) => TEXT_COLUMNS[column].0,
            Self::TargetTypes => "target_types",
            Self::TargetIds => "target_ids",
            Self::Tenant => "tenant",
            Self::Environment => "environment",
            Self::Body => "body",
            Self::Seed => "seed",
            Self::Digest => "digest",
            Self::Disclosures => "disclosures",
            Self::Node16 => "node16",
            Self::ClientId => "client_id",
        }
    }

    fn path(self) -> ColumnPath {
        match self {
            // The writer names the leaf of a list by the Parquet rules for lists.
            Self::TargetTypes | Self::TargetIds => {
                ColumnPath::new(vec![self.name().to_owned(), "list".to_owned(), "item".to_owned()])
            }
            _ => ColumnPath::from(self.name()),
        }
    }

    /// Returns true when the file has a bloom filter for it.
    pub fn has_bloom_filter(self) -> bool {
        let names = ["id", "actor_id", "request_id", "session_id", "target_ids"];
        names.contains(&self.name())
    }
}

/// The text column called `name`.
pub fn text_column(name: &str) -> Option<Column> {
    TEXT_COLUMNS.iter().position(|(column, _)| *column == name).map(Column::Text)
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

fn schema_with(text: &DataType) -> SchemaRef {
    let list = || DataType::List(Arc::new(Field::new("item", text.clone(), true)));
    let mut fields = vec![
        Field::new("slot", DataType::UInt64, false),
        Field::new("seq", DataType::UInt64, false),
        Field::new("id", DataType::FixedSizeBinary(16), false),
        Field::new("received_at", timestamp(), false),
        Field::new("occurred_at", timestamp(), false),
        Field::new("severity", DataType::UInt8, false),
        Field::new("flags", DataType::UInt16, false),
        Field::new("n_fields", DataType::UInt16, false),
    ];
    fields.extend(TEXT_COLUMNS.map(|(name, _)| Field::new(name, text.clone(), true)));
    fields.extend([
        Field::new("target_types", list(), false),
        Field::new("target_ids", list(), false),
        Field::new("tenant", text.clone(), false),
        Field::new("environment", text.clone(), false),
        Field::new("body", text.clone(), true),
        Field::new("seed", DataType::FixedSizeBinary(16), true),
        Field::new("digest", DataType::FixedSizeBinary(16), true),
        Field::new("disclosures", DataType::Binary, true),
        Field::new("node16", DataType::FixedSizeBinary(32), true),
        Field::new("client_id", DataType::Boolean, false),
    ]);
    Arc::new(Schema::new(fields))
}

/// The schema that is written.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_with(&DataType::Utf8));

/// The same columns as readers decode them: text as views into the decoded pages, without copies.
pub static READ_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_with(&DataType::Utf8View));

/// Returns the settings of a file for logs under `log_name`.
pub(super) fn properties(log_name: &str, sizes: Sizes, effort: Effort) -> WriterProperties {
    let level = ZstdLevel::try_new(effort.zstd_level()).expect("zstd has the level");
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("attestary ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(sizes.row_group_rows))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_write_batch_size(sizes.body_page_rows)
        .set_data_page_row_count_limit(sizes.page_rows)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(64))
        .set_sorting_columns(Some(vec![sorted_by(Column::Slot), sorted_by(Column::Seq)]))
        .set_key_value_metadata(Some(vec![
            KeyValue::new(MAGIC_KEY.to_owned(), MAGIC.to_owned()),
            KeyValue::new(VERSION_KEY.to_owned(), FORMAT_VERSION.to_string()),
            KeyValue::new(LOG_NAME_KEY.to_owned(), log_name.to_owned()),
        ]));
    for column in [Column::Slot, Column::Seq, Column::ReceivedAt, Column::OccurredAt] {
        builder = builder.set_column_statistics_enabled(column.path(), EnabledStatistics::Page);
    }
    builder = numbers(builder);
    builder = random_bytes(builder);
    builder = constants(builder);
    builder = bodies(builder, sizes);
    bloom_filters(builder, sizes).build()
}

fn sorted_by(column: Column) -> SortingColumn {
    let column_idx = i32::try_from(column.index()).expect("there are few columns");
    SortingColumn { column_idx, descending: false, nulls_first: false }
}

/// Ascending numbers and times: differences, not dictionaries. They leave zstd little to save (0.5 to 2 bytes an event),
/// and each reader would make contexts for it.
fn numbers(mut builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    for column in [Column::Seq, Column::ReceivedAt, Column::OccurredAt] {
        builder = builder
            .set_column_dictionary_enabled(column.path(), false)
            .set_column_compression(column.path(), Compression::UNCOMPRESSED)
            .set_column_encoding(column.path(), Encoding::DELTA_BINARY_PACKED);
    }
    builder
}

/// Random bytes neither compress nor repeat.
fn random_bytes(mut builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    for column in [Column::Id, Column::Seed, Column::Digest, Column::Node16] {
        builder = builder
            .set_column_dictionary_enabled(column.path(), false)
            .set_column_statistics_enabled(column.path(), EnabledStatistics::None)
            .set_column_compression(column.path(), Compression::UNCOMPRESSED);
    }
    builder
}

/// Nearly always one value: a few bytes a page as they are, where each reader would make contexts of zstd for nothing.
fn constants(mut builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    for column in [Column::Flags, Column::NFields, Column::Disclosures] {
        builder = builder.set_column_compression(column.path(), Compression::UNCOMPRESSED);
    }
    builder
}

/// Bodies and ids of requests and sessions hardly repeat; a dictionary would have to be decoded to read one of them.
fn bodies(mut builder: WriterPropertiesBuilder, sizes: Sizes) -> WriterPropertiesBuilder {
    for column in [Column::Body, Column::Disclosures] {
        builder = builder
            .set_column_dictionary_enabled(column.path(), false)
            .set_column_statistics_enabled(column.path(), EnabledStatistics::None)
            .set_column_data_page_row_count_limit(column.path(), sizes.body_page_rows)
            .set_column_data_page_size_limit(column.path(), BODY_PAGE_BYTES);
    }
    for name in ["request_id", "session_id"] {
        let column = text_column(name).expect("it is one of the text columns");
        builder = builder.set_column_dictionary_enabled(column.path(), false);
    }
    builder
}

fn bloom_filters(mut builder: WriterPropertiesBuilder, sizes: Sizes) -> WriterPropertiesBuilder {
    let texts = (0..TEXT_COLUMNS.len()).map(Column::Text);
    let columns =
        texts.chain([Column::Id, Column::TargetIds]).filter(|column| column.has_bloom_filter());
    for column in columns {
        // Sized for one value per row, then folded to what the values need.
        builder = builder
            .set_column_bloom_filter_fpp(column.path(), 0.01)
            .set_column_bloom_filter_max_ndv(column.path(), sizes.row_group_rows as u64);
    }
    builder
}
