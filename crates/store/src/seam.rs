//! The seams to the world: time and randomness. The disk has its own page, [`crate::disk`].
//!
//! The same engine code runs on the real and on the simulated implementations.

use std::time::Duration;

/// Wall clock and boot clock.
pub trait Clock: Send + Sync + 'static {
    /// Returns milliseconds since the Unix epoch; may jump.
    fn now_ms(&self) -> u64;

    /// Returns time since some fixed instant; never jumps.
    fn monotonic(&self) -> Duration;
}

/// A source of random bytes, fit for salts and keys.
pub trait Rng: Send + Sync + 'static {
    /// Fills `out`.
    fn fill(&self, out: &mut [u8]);
}

/// The clock of the machine.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Randomness of the operating system, drawn in blocks so that one event costs no system call.
#[derive(Debug, Default)]
pub struct SystemRng {
    pool: parking_lot::Mutex<Pool>,
}

#[derive(Debug)]
struct Pool {
    bytes: [u8; 4096],
    used: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self { bytes: [0; 4096], used: 4096 }
    }
}

impl Rng for SystemRng {
    fn fill(&self, out: &mut [u8]) {
        let mut pool = self.pool.lock();
        for chunk in out.chunks_mut(1024) {
            if pool.used + chunk.len() > pool.bytes.len() {
                getrandom::fill(&mut pool.bytes)
                    .expect("the operating system has randomness once it is up");
                pool.used = 0;
            }
            let end = pool.used + chunk.len();
            let start = std::mem::replace(&mut pool.used, end);
            chunk.copy_from_slice(&pool.bytes[start..end]);
            // Handed-out bytes may become keys: they do not stay behind.
            pool.bytes[start..end].fill(0);
        }
    }
}
