//! The part of Kafka's protocol that a producer needs, as pure functions: five requests at one version each.
//!
//! The versions are the oldest that brokers of today still take (4.x) and the newest without tagged fields, so brokers
//! from 1.0 on understand them: Produce 3, Metadata 4, SaslHandshake 1, SaslAuthenticate 0, InitProducerId 0.
//! Answers are read with bounds: a count is believed only as far as the bytes behind it reach.
//!
//! <https://kafka.apache.org/protocol>, <https://kafka.apache.org/documentation/#recordbatch>

use bytes::Bytes;

/// Name under which brokers know this client.
const CLIENT: &str = "attestary";
/// Bytes of a record batch before what its checksum covers: base offset, length, leader epoch, magic, checksum.
const BATCH_HEAD: usize = 8 + 4 + 4 + 1 + 4;
/// How long the leader waits for the replicas, in milliseconds.
const REPLICAS_MS: i32 = 15_000;

/// A request that this client makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Records for one partition.
    Produce,
    /// Brokers and leaders of a topic.
    Metadata,
    /// Choice of the mechanism.
    SaslHandshake,
    /// One step of the mechanism.
    SaslAuthenticate,
    /// An id under which the broker drops repeats.
    InitProducerId,
}

impl Api {
    /// Key and version.
    const fn key(self) -> (i16, i16) {
        match self {
            Self::Produce => (0, 3),
            Self::Metadata => (3, 4),
            Self::SaslHandshake => (17, 1),
            Self::InitProducerId => (22, 0),
            Self::SaslAuthenticate => (36, 0),
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its time in milliseconds since the epoch.
    pub at_ms: i64,
    /// The event in the destination's format.
    pub value: Bytes,
    /// Names and values.
    pub headers: Vec<(&'static str, Bytes)>,
}

/// What lets a broker recognise a repeat (`enable.idempotence`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Given by the broker; -1 for none.
    pub id: i64,
    /// Given by the broker.
    pub epoch: i16,
    /// Number of the batch's first record among all of this producer for the partition.
    pub sequence: i32,
}

impl Producer {
    /// A producer whose repeats are not recognised.
    pub const NONE: Self = Self { id: -1, epoch: -1, sequence: -1 };
}

/// A broker as the cluster names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: i32,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: i32,
}

/// One partition and who leads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Error code; 0 for none.
    pub error: i16,
    /// Its number.
    pub index: i32,
    /// Number of the broker that takes its records.
    pub leader: i32,
}

/// What is known of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Every broker.
    pub brokers: Vec<Broker>,
    /// Error code of the topic; 0 for none.
    pub error: i16,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// What became of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Produced {
    /// Error code; 0 for taken.
    pub error: i16,
    /// How long the broker wants to be left alone, in milliseconds.
    pub throttle_ms: i32,
}

/// An answer that is no answer of Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not one of Kafka's protocol")]
pub struct Malformed;

/// Returns a request as it goes onto the wire, length included.
pub fn frame(api: Api, correlation: i32, body: &[u8]) -> Vec<u8> {
    let (key, version) = api.key();
    let length = 2 + 2 + 4 + 2 + CLIENT.len() + body.len();
    let mut out = Vec::with_capacity(4 + length);
    put_i32(&mut out, length as i32);
    out.extend_from_slice(&key.to_be_bytes());
    out.extend_from_slice(&version.to_be_bytes());
    put_i32(&mut out, correlation);
    put_text(&mut out, CLIENT);
    out.extend_from_slice(body);
    out
}

/// Returns the body of a question for one topic, which is not made by being asked for.
pub fn metadata(topic: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_i32(&mut out, 1);
    put_text(&mut out, topic);
    out.push(0);
    out
}

/// Returns the body that chooses a mechanism.
pub fn handshake(mechanism: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, mechanism);
    out
}

/// Returns the body of one step of a mechanism.
pub fn authenticate(token: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, token);
    out
}

/// Returns the body that asks for a producer's id.
pub fn init_producer() -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    put_i32(&mut out, REPLICAS_MS);
    out
}

/// Returns the body of a request that all replicas in sync must confirm.
pub fn produce(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(batch.len() + topic.len() + 40);
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    put_i32(&mut out, REPLICAS_MS);
    put_i32(&mut out, 1);
    put_text(&mut out, topic);
    put_i32(&mut out, 1);
    put_i32(&mut out, partition);
    put_bytes(&mut out, batch);
    out
}

/// Returns the records of a batch, each with this key: what is compressed when a batch is.
pub fn records(key: &[u8], records: &[Record]) -> Vec<u8> {
    let first_ms = records.first().map_or(0, |record| record.at_ms);
    let mut out = Vec::with_capacity(records.iter().map(|record| record.value.len() + 256).sum());
    let mut one = Vec::new();
    for (offset, record) in records.iter().enumerate() {
        one.clear();
        one.push(0);
        put_varint(&mut one, record.at_ms - first_ms);
        put_varint(&mut one, offset as i64);
        put_block(&mut one, key);
        put_block(&mut one, &record.value);
        put_varint(&mut one, record.headers.len() as i64);
        for (name, value) in &record.headers {
            put_block(&mut one, name.as_bytes());
            put_block(&mut one, value);
        }
        put_block(&mut out, &one);
    }
    out
}

/// Returns a record batch (magic 2) around records that are compressed or not.
pub fn batch(packed: &[u8], gzip: bool, records: &[Record], producer: Producer) -> Vec<u8> {
    let times = || records.iter().map(|record| record.at_ms);
    let (first, highest) = (times().next().unwrap_or(0), times().max().unwrap_or(0));
    let mut rest = Vec::with_capacity(packed.len() + 64);
    rest.extend_from_slice(&i16::from(gzip).to_be_bytes());
    put_i32(&mut rest, records.len() as i32 - 1);
    rest.extend_from_slice(&first.to_be_bytes());
    rest.extend_from_slice(&highest.to_be_bytes());
    rest.extend_from_slice(&producer.id.to_be_bytes());
    rest.extend_from_slice(&producer.epoch.to_be_bytes());
    put_i32(&mut rest, producer.sequence);
    put_i32(&mut rest, records.len() as i32);
    rest.extend_from_slice(packed);
    let mut out = Vec::with_capacity(BATCH_HEAD + rest.len());
    out.extend_from_slice(&0_i64.to_be_bytes());
    // The length counts from the leader's epoch on.
    put_i32(&mut out, (BATCH_HEAD - 12 + rest.len()) as i32);
    put_i32(&mut out, -1);
    out.push(2);
    out.extend_from_slice(&crc32c::crc32c(&rest).to_be_bytes());
    out.extend_from_slice(&rest);
    out
}

/// Returns the partition that Kafka's own client chooses for a key.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2 with the seed of Kafka's client.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mix = |k: u32| {
        let k = k.wrapping_mul(M);
        (k ^ (k >> 24)).wrapping_mul(M)
    };
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        hash = hash.wrapping_mul(M) ^ mix(u32::from_le_bytes(*word));
    }
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, byte| (rest << 8) | u32::from(*byte));
        hash = (hash ^ rest).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Reads the answer to [`metadata`], without its correlation.
pub fn read_metadata(body: &[u8]) -> Result<Metadata, Malformed> {
    let mut read = Reader(body);
    read.i32()?;
    let brokers = read.list(|read| {
        let (id, host, port) = (read.i32()?, read.text()?, read.i32()?);
        read.text_or_none()?;
        Ok(Broker { id, host, port })
    })?;
    read.text_or_none()?;
    read.i32()?;
    let mut topics = read.list(|read| {
        let error = read.i16()?;
        read.text()?;
        read.take(1)?;
        let partitions = read.list(|read| {
            let (error, index, leader) = (read.i16()?, read.i32()?, read.i32()?);
            read.list(Reader::i32)?;
            read.list(Reader::i32)?;
            Ok(Partition { error, index, leader })
        })?;
        Ok((error, partitions))
    })?;
    let (error, mut partitions) = topics.pop().ok_or(Malformed)?;
    partitions.sort_by_key(|partition| partition.index);
    Ok(Metadata { brokers, error, partitions })
}

/// Reads the answer to [`produce`].
pub fn read_produced(body: &[u8]) -> Result<Produced, Malformed> {
    let mut read = Reader(body);
    let mut topics = read.list(|read| {
        read.text()?;
        read.list(|read| {
            read.i32()?;
            let error = read.i16()?;
            read.take(16)?;
            Ok(error)
        })
    })?;
    let throttle_ms = read.i32()?;
    let error = topics.pop().and_then(|mut parts| parts.pop()).ok_or(Malformed)?;
    Ok(Produced { error, throttle_ms })
}

/// Reads the error code of the answer to [`handshake`].
pub fn read_handshake(body: &[u8]) -> Result<i16, Malformed> {
    Reader(body).i16()
}

/// Reads the answer to [`authenticate`]: error code and token.
pub fn read_authenticated(body: &[u8]) -> Result<(i16, Vec<u8>), Malformed> {
    let mut read = Reader(body);
    let error = read.i16()?;
    read.text_or_none()?;
    let length = read.i32()?;
    Ok((error, read.take(usize::try_from(length).map_err(|_| Malformed)?)?.to_vec()))
}

/// Reads the answer to [`init_producer`]: error code, id and epoch.
pub fn read_producer(body: &[u8]) -> Result<(i16, i64, i16), Malformed> {
    let mut read = Reader(body);
    read.i32()?;
    let error = read.i16()?;
    let id = i64::from_be_bytes(read.array()?);
    Ok((error, id, read.i16()?))
}

/// What is left of an answer.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    fn text_or_none(&mut self) -> Result<Option<String>, Malformed> {
        let Ok(length) = usize::try_from(self.i16()?) else { return Ok(None) };
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)?;
        Ok(Some(text.to_owned()))
    }

    fn text(&mut self) -> Result<String, Malformed> {
        self.text_or_none()?.ok_or(Malformed)
    }

    /// Reads a list; a list that is null counts as empty. Each item takes bytes, so a lying count ends with them.
    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.i32()?;
        (0..count).map(|_| item(self)).collect()
    }
}

fn put_i32(out: &mut Vec<u8>, number: i32) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as i16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_i32(out, bytes.len() as i32);
    out.extend_from_slice(bytes);
}

/// A length and its bytes, inside a record.
fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// A number in seven bits a byte, small ones of either sign short (zigzag).
fn put_varint(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests;
