//! Vectors of Kafka's own client, and answers that lie.

use super::*;

/// Values of `UtilsTest.testMurmur2` in Kafka's source.
#[test]
fn keys_hash_as_in_kafkas_own_client() {
    for (key, hash) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
    }
    assert!(partition_of(b"acme", 7) < 7);
    assert_eq!(partition_of(b"acme", 0), 0);
}

#[test]
fn numbers_are_as_short_as_they_can_be() {
    for (number, bytes) in [
        (0_i64, &[0_u8][..]),
        (-1, &[1]),
        (63, &[126]),
        (64, &[0x80, 1]),
        (-65, &[0x81, 1]),
        (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    ] {
        let mut out = Vec::new();
        put_varint(&mut out, number);
        assert_eq!(out, bytes, "{number}");
    }
}

#[test]
fn a_batch_says_how_long_it_is_and_what_it_sums_up_to() {
    let list = [Record { at_ms: 5, value: Bytes::from_static(b"v"), headers: vec![] }];
    let packed = records(b"k", &list);
    // Length 7: attributes, time, offset, key with length, value with length, number of headers.
    assert_eq!(packed, [16, 0, 0, 0, 2, b'k', 2, b'v', 0]);
    let batch = batch(&packed, true, &list, Producer { id: 9, epoch: 1, sequence: 4 });
    assert_eq!(batch.len() as i32 - 12, i32::from_be_bytes(batch[8..12].try_into().unwrap()));
    assert_eq!(batch[16], 2);
    let sum = u32::from_be_bytes(batch[17..21].try_into().unwrap());
    assert_eq!(sum, crc32c::crc32c(&batch[21..]));
    assert_eq!(batch[21..23], [0, 1], "gzip");
    assert_eq!(batch[43..51], 9_i64.to_be_bytes());
    assert_eq!(batch[53..57], 4_i32.to_be_bytes());
}

fn answer() -> Vec<u8> {
    let mut out =
        vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 1, b'h', 0, 0, 0x23, 0x84, 0xff, 0xff];
    out.extend([0xff, 0xff, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, b't', 0]);
    out.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0]);
    out
}

#[test]
fn metadata_is_read() {
    let read = read_metadata(&answer()).unwrap();
    assert_eq!(read.brokers, [Broker { id: 7, host: "h".to_owned(), port: 9_092 }]);
    assert_eq!(read.partitions, [Partition { error: 0, index: 0, leader: 7 }]);
    for length in 0..answer().len() {
        assert_eq!(read_metadata(&answer()[..length]), Err(Malformed), "{length}");
    }
    assert_eq!(read_metadata(&[0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]), Err(Malformed));
}

proptest::proptest! {
    #[test]
    fn answers_of_strangers_are_refused_or_read(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = read_metadata(&body);
        let _ = read_produced(&body);
        let _ = read_authenticated(&body);
        let _ = read_producer(&body);
        let _ = read_handshake(&body);
    }
}
