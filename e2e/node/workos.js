// Drives the unmodified WorkOS package against a server: events, repeats, refusals.
// Prints one JSON line per call.
//
// usage: node workos.js HOST PORT KEY WRONG_KEY ORGANIZATION ADMIN_KEY EXPORT_KEY
"use strict";

const { WorkOS } = require("@workos-inc/node");

const [host, port, key, wrongKey, organization, adminKey, exportKey] = process.argv.slice(2);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const client = (secret) => new WorkOS(secret, { apiHostname: host, port: Number(port), https: false });

function event(number, more = {}) {
    return {
        action: "document.updated",
        occurredAt: new Date(1700000000123 + number),
        actor: { type: "user", id: `user_${number}`, name: "Ä User", metadata: { seats: 3, trial: false, plan: "pro" } },
        targets: [{ type: "document", id: `doc_${number}`, metadata: { pages: "12" } }, { type: "team", id: "team_1" }],
        context: { location: number % 2 ? "Vienna, AT" : "203.0.113.9", userAgent: "Mozilla/5.0" },
        metadata: { number, extra: true },
        ...more,
    };
}

async function attempt(name, call) {
    try {
        print({ name, resolved: (await call()) ?? null });
    } catch (error) {
        print({ name, failed: true, kind: error.constructor.name, status: error.status, code: error.code, message: error.message, requestID: error.requestID });
    }
}

async function main() {
    const logs = client(key).auditLogs;
    for (let number = 0; number < 10; number++) {
        await attempt("event", () => logs.createEvent(organization, event(number)));
    }
    const once = { idempotencyKey: "once" };
    await attempt("first", () => logs.createEvent(organization, event(10), once));
    await attempt("repeat", () => logs.createEvent(organization, event(10), once));
    await attempt("conflict", () => logs.createEvent(organization, event(11), once));
    await attempt("invalid", () => logs.createEvent(organization, event(12, { actor: { type: "user" } })));
    await attempt("stranger", () => client(wrongKey).auditLogs.createEvent(organization, event(13)));
    const admin = client(adminKey).auditLogs;
    const schema = { action: "team.resized", targets: [{ type: "team", metadata: { plan: "string" } }], metadata: { seats: "number" } };
    await attempt("schema", () => admin.createSchema(schema));
    await attempt("schema", () => admin.createSchema(schema));
    await attempt("schema", () => admin.createSchema({ ...schema, metadata: { seats: "string" } }));
    await attempt("schemas", async () => (await admin.listSchemas("team.resized")).data);
    await attempt("noPath", () => admin.getExport("audit_log_export_1"));
    const exporter = client(exportKey);
    const range = { rangeStart: new Date(1700000000000), rangeEnd: new Date(1800000000000) };
    const wanted = { organizationId: organization, ...range, actions: ["document.updated"], actorIds: ["user_3", "user_4"], targets: ["team"] };
    await attempt("export", () => exporter.auditLogs.createExport(wanted));
    await attempt("exported", async () => {
        let made = await exporter.auditLogs.createExport(wanted);
        while (made.state === "pending") {
            await new Promise((done) => setTimeout(done, 100));
            made = await exporter.auditLogs.getExport(made.id);
        }
        const file = await (await fetch(made.url)).text();
        return { state: made.state, object: made.object, createdAt: made.createdAt, file };
    });
    const organizations = client(adminKey).organizations;
    await attempt("retention", () => admin.getOrganizationAuditLogsRetention({ id: organization }));
    await attempt("retention", () => admin.updateOrganizationAuditLogsRetention({ id: organization, retentionPeriod: "6_MONTHS" }));
    await attempt("retention", () => admin.getOrganizationAuditLogsRetention({ id: organization }));
    await attempt("noPeriod", () => admin.updateOrganizationAuditLogsRetention({ id: organization, retentionPeriod: "7_WEEKS" }));
    await attempt("nobody", () => admin.getOrganizationAuditLogsRetention({ id: "org_nobody" }));
    // Every call of the package's audit log class, so that a new one in a newer package is noticed.
    print({ name: "methods", resolved: Object.getOwnPropertyNames(Object.getPrototypeOf(admin)).filter((name) => name !== "constructor").sort() });
    print({ name: "configurable", resolved: Object.getOwnPropertyNames(Object.getPrototypeOf(organizations)).filter((name) => /audit/i.test(name)) });
    await attempt("link", () => client(adminKey).adminPortal.generateLink({ intent: "audit_logs", organization, returnUrl: "https://app.example.com/" }));
    await attempt("noIntent", () => client(adminKey).adminPortal.generateLink({ intent: "sso", organization }));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
