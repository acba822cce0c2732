//! Signed notes, keys and checkpoints: what is accepted prints as it came.
#![no_main]

use std::sync::LazyLock;

use attestary_ledger::{Checkpoint, Note, VerifierKey};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Vec<VerifierKey>> = LazyLock::new(|| {
    let keys = [
        "audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C+32f49c4d+AYV5h24Qo5+ZwhwLVpyjRIfLAIxsyxL1DOcR1Oo35tkU",
        "w1.example+89d3dde6+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
    ];
    keys.iter().map(|key| VerifierKey::parse(key).expect("a frozen vector")).collect()
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let _ = note.verify(&KEYS);
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.to_string(), note.text());
        }
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
    }
});
