"""The OpenTelemetry SDK, unmodified, exports over HTTP and gRPC: events of the list become events, logs do not."""

import logging

import pytest

ENDPOINTS = {"http": "/v1/logs", "grpc": ""}


def provider(attestary, protocol, key, **more):
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        exporter = OTLPLogExporter(endpoint=attestary.url + "/v1/logs", headers={"authorization": f"Bearer {key}"},
                                   compression=Compression.Gzip)
    else:
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        exporter = OTLPLogExporter(endpoint=attestary.url, insecure=True, headers=(("authorization", f"Bearer {key}"),),
                                   compression=grpc.Compression.Gzip)
    made = LoggerProvider(resource=Resource.create({"service.name": "shop", "tenant.id": "acme"}), **more)
    made.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return made


def record(name, attributes, body=None):
    from opentelemetry._logs import LogRecord, SeverityNumber
    return LogRecord(timestamp=1795307951123456789, event_name=name, body=body, attributes=attributes,
                     severity_number=SeverityNumber.INFO)


@pytest.mark.parametrize("protocol", ENDPOINTS)
def test_events_of_the_sdk(attestary, protocol):
    logs = provider(attestary, protocol, attestary.facts["ingest_key"])
    logger = logs.get_logger("audit", "1.2")
    for number in range(600):
        logger.emit(record("order.refunded", {
            "user.id": f"u_{number}", "client.address": "203.0.113.9", "event.outcome": "success",
            "log.record.uid": f"r-{number}", "amount": 12.5, "items": ["a", "b"]}, "Refunded"))
        # What any library logs has no event name.
        logger.emit(record(None, {"http.route": "/x"}, "GET /x"))
    assert logs.force_flush(30000)
    logs.shutdown()
    events = attestary.submitted("acme")
    assert [event["actor"]["id"] for event in events] == [f"u_{number}" for number in range(600)]
    for event in (events[0], events[-1]):
        assert event["action"] == "order.refunded" and event["occurred_at"] == "2026-11-22T00:39:11.123Z"
        assert event["context"] == {"ip": "203.0.113.9"} and event["outcome"] == "success"
        assert event["description"] == "Refunded" and event["metadata"] == {"amount": 12.5, "items": ["a", "b"]}
        assert event["source"]["fields"]["scope"] == "audit"


@pytest.mark.parametrize("protocol", ENDPOINTS)
def test_a_wrong_key_is_said_and_not_tried_for_ever(attestary, protocol, caplog):
    key = attestary.facts["ingest_key"]
    logs = provider(attestary, protocol, key[:-1] + ("a" if key[-1] != "a" else "b"))
    with caplog.at_level(logging.ERROR):
        logs.get_logger("audit").emit(record("order.refunded", {"user.id": "u"}))
        logs.force_flush(30000)
    logs.shutdown()
    assert "401" in caplog.text or "UNAUTHENTICATED" in caplog.text, caplog.text
    assert attestary.call("GET", "/v1/events", key="read_key", params={"tenant": "acme"}).status_code == 404
