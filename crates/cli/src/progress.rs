//! Progress of long work: a bar on a terminal, a plain line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// How often a plain line is written when no terminal shows a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Returns a bar towards a known total; hidden when no person watches.
pub(crate) fn bar(name: &str, total: u64) -> ProgressBar {
    styled(
        name,
        ProgressBar::new(total),
        "{msg} [{bar:40}] {human_pos}/{human_len} {per_sec} eta {eta}",
    )
}

/// Returns a counter without a total; hidden when no person watches.
pub(crate) fn counter(name: &str) -> ProgressBar {
    styled(name, ProgressBar::no_length(), "{msg} {spinner} {human_pos} {per_sec}")
}

fn styled(name: &str, bar: ProgressBar, template: &str) -> ProgressBar {
    let bar = bar.with_message(name.to_owned());
    if !output::is_interactive() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Plain lines for work that nobody watches on a terminal.
pub(crate) struct Lines {
    last: Instant,
}

impl Lines {
    /// Starts counting from now.
    pub(crate) fn new() -> Self {
        Self { last: Instant::now() }
    }

    /// Writes a line when no terminal shows a bar and enough time has passed since the last one.
    pub(crate) fn tick(&mut self, text: impl FnOnce() -> String) {
        if !output::is_interactive() && self.last.elapsed() >= LINE_INTERVAL {
            output::talk(text());
            self.last = Instant::now();
        }
    }
}
