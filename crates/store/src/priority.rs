//! Which threads step back when the processor is short: merging behind everything, bulk work behind single requests.

use std::cell::Cell;

/// The lowest priority the system has: for work that nobody waits for.
pub const LOWEST: i32 = 19;

/// For large bodies: their sender waits for a thousand events, others for one. A thread of this priority gets a third of
/// what an ordinary one gets while both want the processor, and all of it while it is alone.
pub const BULK: i32 = 5;

thread_local! {
    static NICE: Cell<i32> = const { Cell::new(0) };
}

/// Gives the calling thread the priority `nice` (0 is the usual one, 19 the lowest) for the rest of its life: going back
/// up needs a privilege. Where it is refused, the thread competes like any other.
pub fn lower(nice: i32) {
    if NICE.get() >= nice {
        return;
    }
    NICE.set(nice);
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), nice) {
        tracing::debug!(%error, nice, "a thread keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> i32 {
        rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap()
    }

    #[test]
    fn a_thread_steps_back_alone_and_stays_there() {
        let before = nice();
        let lowered = std::thread::spawn(|| {
            lower(BULK);
            let first = nice();
            lower(BULK);
            lower(0);
            (first, nice())
        });
        assert_eq!(lowered.join().unwrap(), (before.max(BULK), before.max(BULK)));
        assert_eq!(nice(), before);
    }
}
