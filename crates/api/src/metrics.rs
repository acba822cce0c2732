//! Metrics of the HTTP edge, and the recorder that keeps all metrics of the process.

use std::sync::OnceLock;

use http::StatusCode;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Makes the process's metrics recorder and returns its text renderer; later calls return the same one.
pub fn install() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed: /metrics stays empty");
        }
        describe();
        handle
    })
}

fn describe() {
    metrics::describe_counter!(
        "attestary_http_requests_total",
        "Requests answered, by class of status."
    );
    metrics::describe_counter!(
        "attestary_events_accepted_total",
        "Events acknowledged, repeats included."
    );
    metrics::describe_counter!(
        "attestary_access_denied_total",
        "Requests refused for lack of a scope, once a minute each."
    );
    metrics::describe_counter!("attestary_alerts_raised_total", "Alerts raised.");
    metrics::describe_counter!(
        "attestary_sign_ins_total",
        "Sign-ins by the OpenID provider, by what came of them."
    );
    metrics::describe_counter!(
        "attestary_ironcore_discarded_total",
        "Security events for unknown tenants of a closed environment that were thrown away."
    );
    metrics::describe_counter!(
        "attestary_ironcore_printed_total",
        "Security events for unknown tenants of a closed environment that were printed to standard output."
    );
    metrics::describe_counter!(
        "attestary_ironcore_requests_total",
        "Security events received, by client library."
    );
    metrics::describe_counter!("attestary_unauthenticated_total", "Requests without a valid key.");
    metrics::describe_gauge!("attestary_connections", "Open connections.");
    metrics::describe_counter!(
        "attestary_connections_refused_total",
        "Connections closed because their address held as many as it may."
    );
    metrics::describe_gauge!("attestary_tails", "Open tails.");
    metrics::describe_gauge!(
        "attestary_store_unsealed_events",
        "Accepted events that are not in a segment yet."
    );
    metrics::describe_gauge!(
        "attestary_store_unsealed_bytes",
        "Bytes of accepted events that are not in a segment yet."
    );
    metrics::describe_gauge!(
        "attestary_store_queued_bytes",
        "Bytes of events that wait for their place in a log."
    );
    metrics::describe_gauge!("attestary_store_segments", "Sealed segments.");
    metrics::describe_gauge!(
        "attestary_store_merging",
        "1 while segments wait to be merged or are being merged."
    );
    metrics::describe_gauge!("attestary_store_sealed_events", "Events in sealed segments.");
    metrics::describe_gauge!(
        "attestary_dedupe_ids",
        "Sealed ids that are recognised when they come again."
    );
    metrics::describe_gauge!(
        "attestary_dedupe_from_timestamp_seconds",
        "Since when sealed ids are recognised, once older ones were given up."
    );
    metrics::describe_gauge!("attestary_store_sealed_bytes", "Bytes of sealed segments.");
    metrics::describe_gauge!(
        "attestary_signing_refused",
        "1 when no checkpoint is signed until a person has looked."
    );
    metrics::describe_gauge!(
        "attestary_signing_unsigned_logs",
        "Logs that grew since their head was last fixed for signing."
    );
    metrics::describe_counter!("attestary_signing_batches_total", "Batches of fixed heads.");
    metrics::describe_counter!("attestary_epochs_total", "Epochs of the anchor log.");
    metrics::describe_gauge!("attestary_epoch_timestamp_seconds", "When the last epoch was made.");
    metrics::describe_gauge!(
        "attestary_epochs_unwitnessed",
        "Epochs since the last one that a quorum of witnesses cosigned; 0 when all is well."
    );
    metrics::describe_gauge!("attestary_epoch_failed", "1 when the last epoch could not be made.");
    metrics::describe_counter!(
        "attestary_witness_failures_total",
        "Witnesses that were asked and did not cosign, by name in the policy."
    );
    metrics::describe_counter!("attestary_stamp_failures_total", "Time-stamps that were not had.");
    metrics::describe_counter!(
        "attestary_anchor_keep_failures_total",
        "Anchor checkpoints that could not be put into the bucket."
    );
    metrics::describe_gauge!(
        "attestary_disk_free_bytes",
        "Free bytes on the disk of the data directory."
    );
    metrics::describe_gauge!(
        "attestary_disk_full",
        "1 when less than the reserve is free and events are refused."
    );
    metrics::describe_gauge!(
        "attestary_scrubbed_bytes",
        "Bytes of segments read to find damage since the start."
    );
    metrics::describe_gauge!("attestary_scrub_findings", "Damages of sealed data that are known.");
    metrics::describe_gauge!(
        "attestary_scrub_finished_timestamp_seconds",
        "When the last whole round of reading segments ended."
    );
    metrics::describe_gauge!("attestary_store_writable", "1 when events can be made durable.");
}

/// Counters of the hot path, registered once.
pub(crate) struct Counters {
    classes: [metrics::Counter; 5],
    pub(crate) unauthenticated: metrics::Counter,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let class = |class: &'static str| metrics::counter!("attestary_http_requests_total", "class" => class);
        Self {
            classes: [class("1xx"), class("2xx"), class("3xx"), class("4xx"), class("5xx")],
            unauthenticated: metrics::counter!("attestary_unauthenticated_total"),
        }
    }

    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.classes[class].increment(1);
    }
}
