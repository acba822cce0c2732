//! Policies and trust files: any bytes are refused with a line, or make a policy that can be asked.
#![no_main]

use attestary_ledger::{Policy, TrustFile, policy::Cosignature};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|&byte| byte == b'\n').count();
    let policy = match Policy::parse(bytes) {
        Ok(policy) => policy,
        Err(error) => {
            assert!((1..=lines + 1).contains(&error.line), "{error:?}");
            assert!(TrustFile::parse(bytes).is_err());
            return;
        }
    };
    let all: Vec<_> =
        (0..policy.witnesses().len()).map(|witness| Cosignature { witness, time_s: 0 }).collect();
    // A quorum that all together cannot reach would be a threshold out of bounds.
    assert!(policy.is_quorum(&all));
    for count in 0..all.len() {
        let fewer = policy.is_quorum(&all[..count]);
        assert!(!fewer || policy.is_quorum(&all[..count + 1]), "more witnesses are never less");
    }
    if let Ok(trust) = TrustFile::parse(bytes) {
        assert_eq!(trust.policy(), &policy);
        assert!(policy.logs().iter().any(|log| log.key.name() == trust.origin()));
    }
});
