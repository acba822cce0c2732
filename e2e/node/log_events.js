// Logs every predefined security event and one custom event through the unmodified client package, then tries a
// wrong key. Prints one JSON line per call: what was sent, and what the client made of the reply.
//
// usage: node log_events.js URL KEY WRONG_KEY TENANT
"use strict";

const tsc = require("@ironcorelabs/tenant-security-nodejs");

const [url, key, wrongKey, tenant] = process.argv.slice(2);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// The event classes hold their members as statics, so that this list is the package's own.
function predefined() {
    return [tsc.UserEvent, tsc.AdminEvent, tsc.DataEvent, tsc.PeriodicEvent].flatMap((family) =>
        Object.values(family).filter((member) => member instanceof family),
    );
}

async function main() {
    const client = new tsc.TenantSecurityClient(url, key);
    const events = [...predefined(), new tsc.CustomSecurityEvent("REPORT_SIGNED")];
    for (const [index, event] of events.entries()) {
        const sent = {
            tenantId: tenant,
            requestingId: `user|${index}=\\admin`,
            dataLabel: "data label",
            timestampMillis: 1700000000123 + index,
            sourceIp: "203.0.113.9",
            objectId: `document ${index}`,
            requestId: `Rq${index}`,
            otherData: { field1: `value=${index}|x`, field2: "tab\tand\nline é \u2028" },
        };
        const metadata = new tsc.EventMetadata(
            sent.tenantId, sent.requestingId, sent.dataLabel, sent.timestampMillis,
            sent.sourceIp, sent.objectId, sent.requestId, sent.otherData,
        );
        const resolved = await client.logSecurityEvent(event, metadata);
        print({ action: event.getFlatEvent(), sent, resolved });
    }
    const minimal = new tsc.EventMetadata(tenant, "serviceOrUserId");
    const before = Date.now();
    const resolved = await client.logSecurityEvent(tsc.UserEvent.LOGIN, minimal);
    print({ action: "USER_LOGIN", minimal: true, before, after: Date.now(), resolved });

    const stranger = new tsc.TenantSecurityClient(url, wrongKey);
    try {
        const unexpected = await stranger.logSecurityEvent(tsc.UserEvent.LOGIN, minimal);
        print({ wrongKey: true, resolved: unexpected });
    } catch (error) {
        print({ wrongKey: true, kind: error.constructor.name, errorCode: error.errorCode, status: error.httpResponseCode });
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
