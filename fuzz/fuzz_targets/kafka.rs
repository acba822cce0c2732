//! Any answer of a Kafka broker or of STS: no panic, no memory that the bytes do not pay for; a login ends or goes on.
#![no_main]

use attestary_delivery::destination::kafka::{
    Mechanism,
    scram::Scram,
    wire::{
        partition_of, read_authenticated, read_handshake, read_metadata, read_produced, read_producer,
    },
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(metadata) = read_metadata(body) {
        assert!(metadata.brokers.len() + metadata.partitions.len() <= body.len());
    }
    let _ = read_produced(body);
    let _ = read_producer(body);
    let _ = read_handshake(body);
    if let Ok((_, token)) = read_authenticated(body) {
        assert!(token.len() <= body.len());
    }
    assert!(partition_of(body, 12) < 12);
    // Iterations cost time: only messages that ask for few are followed to the end.
    if !body.windows(3).any(|part| part == b",i=") {
        let _ = Scram::new(Mechanism::ScramSha256, "user", "abc".to_owned()).answer(body, "pencil");
    }
});
