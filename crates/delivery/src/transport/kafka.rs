//! Record batches to the leader of the tenant's partition, over connections that the guard opened.
//!
//! The first broker that answers says who leads; the leader gets the batch. As long as this transport lives, batches
//! carry an id and a number of the producer, so that the broker drops the repeat of a batch whose answer was lost.
//! Where the broker gives no id, repeats arrive.

use std::{io::Write as _, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use futures::future::BoxFuture;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, sleep_until, timeout},
};

use super::{CONNECTION_MAX, EXCHANGE_MAX, Transport, too_slow, wrong_kind};
use crate::{
    destination::{
        Request,
        kafka::{
            self, Compression, Config, Mechanism, Produce,
            scram::Scram,
            wire::{self, Api, Metadata, Producer},
        },
    },
    guard::{Guard, Owner, Target},
    health::Cause,
    secret::Secrets,
    tls,
    verdict::{Failure, Reply},
};

/// Largest answer that is read: the metadata of a topic with thousands of partitions.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Longest wish to be left alone that is kept to before a batch.
const THROTTLE_MAX: Duration = Duration::from_secs(20);

trait Io: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Io for T {}

/// The transport of a Kafka destination.
pub(crate) struct Kafka {
    guard: Guard,
    owner: Owner,
    config: Config,
    secrets: Secrets,
    leader: Option<Leader>,
    repeats: Repeats,
    not_before: Option<Instant>,
}

/// A connection to the broker that takes the records.
struct Leader {
    connection: Connection,
    partition: i32,
    opened: Instant,
}

struct Connection {
    stream: Box<dyn Io>,
    correlation: i32,
}

/// What lets the broker recognise a repeat.
#[derive(Default)]
struct Repeats {
    producer: Option<Producer>,
    /// The batch whose outcome is unknown. Only that very batch may have its number.
    open: Option<(i32, Produce)>,
}

impl Transport for Kafka {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Produce(produce) = request else { return wrong_kind() };
            if let Some(until) = self.not_before.take() {
                sleep_until(until).await;
            }
            let reply = match timeout(EXCHANGE_MAX, self.produce(*produce)).await {
                Ok(Ok(())) => return Reply::Written,
                Ok(Err(reply)) => reply,
                Err(_) => Reply::Failed(too_slow("producing")),
            };
            // Whatever went wrong, the cluster is asked anew who leads.
            self.leader = None;
            reply
        })
    }
}

impl Kafka {
    pub(crate) fn new(guard: Guard, owner: Owner, config: Config, secrets: &Secrets) -> Self {
        let (leader, repeats) = (None, Repeats::default());
        Self { guard, owner, config, secrets: secrets.clone(), leader, repeats, not_before: None }
    }

    async fn produce(&mut self, produce: Produce) -> Result<(), Reply> {
        let mut leader = match self.leader.take() {
            Some(leader) if leader.opened.elapsed() < CONNECTION_MAX => leader,
            _ => self.lead(&produce.key).await?,
        };
        let producer = self.repeats.producer(&mut leader, &produce).await?;
        let batch = packed(&produce, self.config.compression, producer).await?;
        let body = wire::produce(&self.config.topic, leader.partition, &batch);
        let count = produce.records.len() as i32;
        self.repeats.open = Some((leader.partition, produce));
        let answer = leader.connection.call(Api::Produce, &body).await?;
        let produced = wire::read_produced(&answer).map_err(malformed)?;
        if produced.throttle_ms > 0 {
            let wish = Duration::from_millis(produced.throttle_ms.unsigned_abs().into());
            self.not_before = Some(Instant::now() + wish.min(THROTTLE_MAX));
        }
        match produced.error {
            // 46: it has the batch already.
            0 | 46 => {
                self.repeats.taken(count);
                self.leader = Some(leader);
                Ok(())
            }
            // The broker has forgotten the producer, or lost count.
            45 | 47 | 59 => {
                self.repeats = Repeats::default();
                Err(kafka::refusal(produced.error))
            }
            code => Err(kafka::refusal(code)),
        }
    }

    /// Finds and connects to the leader of the key's partition.
    async fn lead(&self, key: &[u8]) -> Result<Leader, Reply> {
        let (mut connection, metadata, asked) = self.ask().await?;
        if metadata.error != 0 {
            return Err(kafka::refusal(metadata.error));
        }
        let count = metadata.partitions.len() as u32;
        let index = wire::partition_of(key, count) as usize;
        let Some(partition) = metadata.partitions.get(index) else {
            return Err(kafka::refusal(3));
        };
        let broker = metadata.brokers.iter().find(|broker| broker.id == partition.leader);
        let Some(broker) = broker else { return Err(kafka::refusal(5)) };
        let target = self.config.broker(broker).map_err(Reply::Failed)?;
        if target != asked {
            connection = self.connect(&target).await?;
        }
        Ok(Leader { connection, partition: partition.index, opened: Instant::now() })
    }

    /// Asks the first broker that can be reached.
    async fn ask(&self) -> Result<(Connection, Metadata, Target), Reply> {
        let mut last = kafka::refusal(5);
        for target in self.config.targets() {
            match self.ask_at(&target).await {
                Ok((connection, metadata)) => return Ok((connection, metadata, target)),
                Err(reply) => last = reply,
            }
        }
        Err(last)
    }

    async fn ask_at(&self, target: &Target) -> Result<(Connection, Metadata), Reply> {
        let mut connection = self.connect(target).await?;
        let answer = connection.call(Api::Metadata, &wire::metadata(&self.config.topic)).await?;
        let metadata = wire::read_metadata(&answer).map_err(malformed)?;
        Ok((connection, metadata))
    }

    async fn connect(&self, target: &Target) -> Result<Connection, Reply> {
        let stream: Box<dyn Io> = self.open(target).await.map_err(Reply::Failed)?;
        let mut connection = Connection { stream, correlation: 0 };
        if let Some((mechanism, user, password)) = self.config.login(&self.secrets) {
            connection.login(mechanism, &user, password.danger_reveal()).await?;
        }
        Ok(connection)
    }

    async fn open(&self, target: &Target) -> Result<Box<dyn Io>, Failure> {
        let stream = self.guard.connect(&self.owner, target).await?;
        if !target.encrypted {
            return Ok(Box::new(stream));
        }
        let identity = self.config.identity(&self.secrets);
        let config = tls::config_with(self.config.ca.as_deref(), identity.as_ref())?;
        Ok(Box::new(tls::wrap(config, &target.host, stream).await?))
    }
}

impl Connection {
    /// Sends one request and reads its answer, without the correlation.
    async fn call(&mut self, api: Api, body: &[u8]) -> Result<Vec<u8>, Reply> {
        self.correlation = self.correlation.wrapping_add(1);
        let frame = wire::frame(api, self.correlation, body);
        self.exchange(&frame).await.map_err(Reply::Failed)
    }

    async fn exchange(&mut self, frame: &[u8]) -> Result<Vec<u8>, Failure> {
        let broken = |error: std::io::Error| {
            Failure::new(Cause::Broken, format!("the connection to the broker broke: {error}"))
        };
        self.stream.write_all(frame).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)?;
        let length = self.stream.read_i32().await.map_err(broken)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= ANSWER_BYTES_MAX);
        let Some(length) = length.filter(|length| *length >= 4) else {
            return Err(Failure::new(Cause::Protocol, wire::Malformed.to_string()));
        };
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await.map_err(broken)?;
        if answer[..4] != self.correlation.to_be_bytes() {
            return Err(Failure::new(Cause::Protocol, wire::Malformed.to_string()));
        }
        Ok(answer.split_off(4))
    }

    async fn login(
        &mut self,
        mechanism: Mechanism,
        user: &str,
        password: &str,
    ) -> Result<(), Reply> {
        let name = match mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        let answer = self.call(Api::SaslHandshake, &wire::handshake(name)).await?;
        let error = wire::read_handshake(&answer).map_err(malformed)?;
        if error != 0 {
            return Err(kafka::refusal(error));
        }
        if mechanism == Mechanism::Plain {
            let token = zeroize::Zeroizing::new(format!("\0{user}\0{password}"));
            self.step(token.as_bytes()).await?;
            return Ok(());
        }
        let scram = Scram::new(mechanism, user, nonce()?);
        let first = self.step(scram.first().as_bytes()).await?;
        let password = password.to_owned();
        // The proof takes thousands of hashes.
        let proof = tokio::task::spawn_blocking(move || scram.answer(&first, &password)).await;
        let refused = |what: String| Reply::Failed(Failure::new(Cause::Credentials, what));
        let proof = proof.map_err(|error| refused(error.to_string()))?;
        let proof = proof.map_err(|problem| refused(problem.to_string()))?;
        let last = self.step(proof.message.as_bytes()).await?;
        proof.check(&last).map_err(|problem| refused(problem.to_string()))
    }

    async fn step(&mut self, token: &[u8]) -> Result<Vec<u8>, Reply> {
        let answer = self.call(Api::SaslAuthenticate, &wire::authenticate(token)).await?;
        let (error, token) = wire::read_authenticated(&answer).map_err(malformed)?;
        if error == 0 { Ok(token) } else { Err(kafka::refusal(error)) }
    }
}

impl Repeats {
    /// Returns the producer's number for a batch; a batch of unknown outcome keeps its own.
    async fn producer(
        &mut self,
        leader: &mut Leader,
        produce: &Produce,
    ) -> Result<Producer, Reply> {
        let same = self
            .open
            .as_ref()
            .is_none_or(|(partition, open)| *partition == leader.partition && open == produce);
        if !same {
            // Something else goes out where an answer is missing: numbers would not tell what was taken.
            *self = Self::default();
        }
        if let Some(producer) = self.producer {
            return Ok(producer);
        }
        let answer = leader.connection.call(Api::InitProducerId, &wire::init_producer()).await?;
        let (error, id, epoch) = wire::read_producer(&answer).map_err(malformed)?;
        // Older brokers give ids only to users with a right of its own: then repeats arrive.
        let producer =
            if error == 0 { Producer { id, epoch, sequence: 0 } } else { Producer::NONE };
        Ok(*self.producer.insert(producer))
    }

    fn taken(&mut self, count: i32) {
        self.open = None;
        if let Some(producer) = &mut self.producer
            && *producer != Producer::NONE
        {
            // Numbers go round at 2^31.
            producer.sequence =
                ((i64::from(producer.sequence) + i64::from(count)) % (1 << 31)) as i32;
        }
    }
}

/// Encodes and compresses away from the runtime's threads.
async fn packed(
    produce: &Produce,
    compression: Compression,
    producer: Producer,
) -> Result<Vec<u8>, Reply> {
    let (key, records): (Bytes, _) = (produce.key.clone(), produce.records.clone());
    let pack = move || {
        let plain = wire::records(&key, &records);
        match compression {
            Compression::None => wire::batch(&plain, false, &records, producer),
            Compression::Gzip => {
                let mut encoder =
                    GzEncoder::new(Vec::with_capacity(plain.len() / 4), Level::fast());
                encoder.write_all(&plain).expect("a vector takes all that is written");
                let packed = encoder.finish().expect("a vector takes all that is written");
                wire::batch(&packed, true, &records, producer)
            }
        }
    };
    tokio::task::spawn_blocking(pack).await.map_err(|error| {
        Reply::Failed(Failure::new(Cause::Storage, format!("cannot compress: {error}")))
    })
}

fn nonce() -> Result<String, Reply> {
    let mut random = [0; 24];
    SystemRandom::new().fill(&mut random).map_err(|_| {
        Reply::Failed(Failure::new(Cause::Storage, "the system gives no random numbers"))
    })?;
    Ok(STANDARD.encode(random))
}

fn malformed(problem: wire::Malformed) -> Reply {
    Reply::Failed(Failure::new(Cause::Protocol, problem.to_string()))
}
