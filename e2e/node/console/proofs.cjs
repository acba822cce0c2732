// Proofs: what is changed on the way, at the server or between two visits turns rows red.
"use strict";

const path = require("node:path");

const { check, clean, facts, found, open, outDir, ready, rows, shot, theme } = require("./driver.cjs");

module.exports = {
    /** Every row is checked in the browser; whatever is changed on the way, at the server or between two visits turns it red. */
    async proofs(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const at = `${facts.url}/console/t/${facts.tenant}/events?range=all&q=action:document.*`;
        const chips = (state) => page.locator(`[data-proof=${state}]`);
        const settled = () => page.waitForFunction(() => document.querySelectorAll("[data-proof]:not([data-proof=pending])").length > 5);
        const visit = async () => {
            await page.goto("about:blank");
            await page.goto(at);
            await ready(page);
            await settled();
        };
        await visit();
        check((await chips("verified").count()) > 5 && (await chips("failed").count()) === 0, "every row is verified");
        await page.getByText(/Log of [\d,]+ events · last checkpoint/).waitFor();
        await clean(page, "proofs");
        await shot(page, "proofs-light");
        await rows(page).first().click();
        await page.getByRole("tab", { name: "Proof" }).click();
        await page.getByText("This browser computed it again").waitFor();
        check((await page.locator(".proof-steps li", { hasText: "✓" }).count()) === 5, "five steps hold");
        await page.getByText(/took from this server at its first visit/).waitFor();
        await clean(page, "proof of one");
        await shot(page, "proof-light");
        await theme(page, "dark");
        await ready(page);
        await settled();
        await page.getByRole("tab", { name: "Proof" }).click();
        await page.getByText("This browser computed it again").waitFor();
        await clean(page, "proof of one, dark");
        await shot(page, "proof-dark");
        await theme(page, "light");

        // On the way: the page of events is changed, every hash of the server stays.
        const tamper = async (what, change, expected, name) => {
            await page.route(/\/v1\/events\?/, async (route) => {
                const reply = await route.fetch();
                // This program would change the number on the way, and with it every row.
                const body = JSON.parse((await reply.text()).replaceAll(":9007199254740993", ':"exact"'));
                change(body.data);
                await route.fulfill({ response: reply, body: JSON.stringify(body).replaceAll(':"exact"', ":9007199254740993") });
            });
            await visit();
            check((await chips("failed").count()) === expected, `${what}: ${await chips("failed").count()} rows of ${expected} fail`);
            await page.getByText(expected === 1 ? "one row fails its check" : `${expected} rows fail their check`).waitFor();
            await clean(page, what);
            if (name) await shot(page, name);
            await page.unroute(/\/v1\/events\?/);
        };
        await tamper("one changed field", (events) => (events[1].actor.name = "Mallory"), 1, "proof-failed-light");
        await tamper("a field left out", (events) => delete events[1].metadata, 1);
        await tamper("another leaf hash", (events) => (events[0].leaf_hash = "00".repeat(32)), 1);
        await tamper("two events change places", (events) => ([events[0].seq, events[1].seq] = [events[1].seq, events[0].seq]), 2);
        await tamper("another time", (events) => (events[2].received_at = new Date(Date.parse(events[2].received_at) + 1).toISOString()), 1);

        // Between two visits: what this browser remembers is not what it is shown now.
        const key = await page.evaluate((tenant) => Object.keys(localStorage).find((name) => name.startsWith("attestary.log ") && name.endsWith(` ${tenant}`)), facts.tenant);
        const memory = JSON.parse(await page.evaluate((name) => localStorage.getItem(name), key));
        const remembering = async (changed, why) => {
            // From a page that checks nothing and so remembers nothing meanwhile.
            await page.goto(`${facts.url}/console/favicon.svg`);
            await page.evaluate(([name, text]) => localStorage.setItem(name, text), [key, JSON.stringify({ ...memory, ...changed })]);
            await visit();
            await page.locator(`[data-proof-trouble=${why}]`).waitFor();
            return clean(page, `trouble: ${why}`);
        };
        await remembering({ seen: { ...memory.seen, root: Buffer.alloc(32, 7).toString("base64") } }, "fork");
        check((await chips("verified").count()) === 0, "nothing is verified under a forked log");
        await remembering({ seen: { ...memory.seen, size: memory.seen.size + 1000 } }, "rollback");
        check((await chips("failed").count()) > 5, "every row fails in a log that lost events");
        // The pinned key is another one than that which signs.
        await remembering({ trust: facts.forged_trust }, "signature");
        check((await chips("verified").count()) === 0, "nothing is verified under a key that nobody pinned");
        // The proofs of another tenant.
        await page.goto(`${facts.url}/console/favicon.svg`);
        await page.evaluate(([name, text]) => localStorage.setItem(name, text), [key, JSON.stringify(memory)]);
        await page.route(/\/v1\/tenants\/[^/]+\/proofs/, async (route) => route.continue({ url: route.request().url().replace(`/tenants/${facts.tenant}/`, `/tenants/${facts.many}/`) }));
        await visit();
        await page.locator("[data-proof-trouble=log]").waitFor();
        check((await chips("verified").count()) === 0, "another tenant's proofs verify nothing");
        await page.unroute(/\/v1\/tenants\/[^/]+\/proofs/);
        // A new key is agreed to by a person; until then nothing is believed.
        const rotated = await fetch(`${facts.url}/v1/tenants/${facts.tenant}/rotate-key`, { method: "POST", headers: { authorization: `Bearer ${facts.admin_key}` } });
        check(rotated.status === 200, `rotation: ${rotated.status}`);
        await visit();
        await page.locator("[data-proof-trouble=newKey]").waitFor();
        check((await chips("verified").count()) === 0, "a new key is not believed silently");
        await clean(page, "trouble: new key");
        await page.getByRole("button", { name: /trust the new key/ }).click();
        await chips("verified").first().waitFor();
        await clean(page, "new key trusted");
        // A browser that cannot check says so.
        await page.addInitScript(() => Object.defineProperty(crypto, "subtle", { value: undefined }));
        await visit();
        check((await chips("unchecked").count()) > 5 && (await chips("verified").count()) === 0, "unchecked is said");
        await clean(page, "unchecked");

        // 2,000 events: fields, leaves and paths, as the rows are checked.
        const bench = await open(browser, { storageState: path.join(outDir, "state.json") });
        await bench.goto(`${facts.url}/console/t/${facts.many}/events?range=all`);
        await ready(bench);
        await bench.locator("[data-proof=verified]").first().waitFor();
        const spent = await bench.evaluate(async (tenant) => {
            const chunk = performance.getEntriesByType("resource").map((one) => one.name).find((name) => /assets\/verify-.*\.js$/.test(name));
            const { Paths, computeLeaf, originId, parseExact, readHead } = await import(chunk);
            const get = async (url) => (await fetch(url, { headers: { "attestary-console": "1" } })).text();
            const rows = [];
            for (let cursor = ""; rows.length < 2000; ) {
                const page = parseExact(await get(`/v1/events?tenant=${tenant}&limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`));
                rows.push(...page.data);
                cursor = page.next_cursor;
            }
            rows.length = 2000;
            const [first, last] = [rows.at(-1).seq, rows[0].seq];
            const parts = [];
            for (let from = first; from <= last; from += 1000) parts.push(JSON.parse(await get(`/v1/tenants/${tenant}/proofs?seqs=${from}-${Math.min(last, from + 999)}`)));
            const decode = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
            const times = { leaves: [], paths: [] };
            for (let round = 0; round < 8; round++) {
                let [good, leaves, walked] = [0, 0, 0];
                for (const part of parts) {
                    const { origin, size, root } = readHead(part.checkpoint);
                    const [id, paths, hashes] = [originId(origin), new Paths(size, root), part.hashes.map(decode)];
                    const proofs = new Map(part.data.map((one) => [one.seq, one]));
                    const mine = rows.filter((row) => proofs.has(row.seq));
                    const began = performance.now();
                    const made = mine.map((row) => computeLeaf(row, proofs.get(row.seq), id).hash);
                    const between = performance.now();
                    mine.forEach((row, at) => (good += paths.leads(made[at], row.seq, proofs.get(row.seq).path.map((place) => hashes[place])) ? 1 : 0));
                    leaves += between - began;
                    walked += performance.now() - between;
                }
                if (good !== 2000) throw new Error(`${good} of 2000 are verified`);
                times.leaves.push(leaves.toFixed(0));
                times.paths.push(walked.toFixed(0));
            }
            return times;
        }, facts.many);
        found.notes.push(`2,000 events, eight rounds: leaves from shown fields ${spent.leaves.join(", ")} ms; proofs walked to the root ${spent.paths.join(", ")} ms`);
    },

    /** Somebody changed a stored event and mended every checksum on the disk: the checks of the server hold, the browser's do not. */
    async tampered(browser) {
        const page = await open(browser);
        await page.goto(facts.console_url);
        await page.getByText("ada@example.com").first().waitFor();
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?range=all&q=${encodeURIComponent(`seq>=${facts.changed_seq - 3} seq<=${facts.changed_seq + 3}`)}`);
        await ready(page);
        await page.locator("[data-proof=failed]").first().waitFor();
        const row = page.locator("[role=row]", { has: page.locator("[data-proof=failed]") });
        check((await row.count()) >= 1, "the changed event is red");
        await row.first().locator(".row-toggle").click();
        await page.getByRole("tab", { name: "Proof" }).click();
        await page.getByText("does not lead to the signed checkpoint").waitFor();
        await clean(page, "a changed segment");
        await shot(page, "tampered-light");
    },
};
