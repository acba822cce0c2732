// Drives the unmodified Retraced package against a server: events, a bulk, a query of several pages. The package
// computes each event's receipt again and throws when it differs. Prints one JSON line per call.
//
// usage: node retraced.js ENDPOINT KEY WRONG_KEY PROJECT GROUP
"use strict";

const { Client } = require("@retracedhq/retraced");

const [endpoint, apiKey, wrongKey, projectId, group] = process.argv.slice(2);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

function event(number, more = {}) {
    return {
        action: `document.${number}`,
        crud: "crud"[number % 4],
        group: { id: group, name: "The % Group" },
        created: new Date(1700000000123 + number),
        actor: { id: `user:${number}`, name: "Ä User", href: "https://app.example/u", fields: { team: "a" } },
        target: { id: `doc%${number}`, name: "Doc", type: "document" },
        source_ip: "203.0.113.9",
        description: "what happened",
        is_failure: number % 3 === 0,
        ...more,
    };
}

async function attempt(name, call) {
    try {
        print({ name, resolved: await call() });
    } catch (error) {
        print({ name, message: error.message });
    }
}

async function main() {
    const client = new Client({ endpoint, projectId, apiKey, component: "api", version: "1.2.3" });
    const odd = { "%:=;": "%:=;", "\ufffd": "1", "\u{1f600}": "2", z: "", a: "é" };
    for (const more of [{}, { fields: {} }, { fields: odd }, { metadata: odd, external_id: "x:1" }, { metadata: {} }, { actor: undefined, is_anonymous: true }]) {
        await attempt("event", () => client.reportEvent(event(0, more)));
    }
    const many = Array.from({ length: 45 }, (_, number) => event(number, { fields: { number: String(number) } }));
    await attempt("bulk", () => client.reportEvents(many));
    await attempt("bad", () => client.reportEvent({ ...event(1), crud: "x" }));
    await attempt("stranger", () => new Client({ endpoint, projectId, apiKey: wrongKey }).reportEvent(event(1)));

    const mask = {
        id: true, action: true, crud: true, description: true, created: true, received: true, canonical_time: true,
        group: { id: true, name: true }, actor: { id: true, name: true, href: true, fields: true },
        target: { id: true, name: true, type: true }, display: { markdown: true }, fields: true, metadata: true,
        is_failure: true, is_anonymous: true, source_ip: true, external_id: true, component: true, version: true,
    };
    const query = { action: "document.*", crud: "c,u", created_start: new Date(1700000000124), actor_name: "Ä User" };
    const pages = [];
    const connection = await client.query(query, mask, 10);
    pages.push(connection.currentResults);
    while (connection.hasNextPage()) {
        await connection.nextPage();
        pages.push(connection.currentResults);
    }
    print({ name: "query", total: connection.totalCount, pages });
    await attempt("badQuery", () => client.query({ action: "x", description: "a", location: "b" }, mask, 0));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
