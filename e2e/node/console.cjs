// A person at the console, driven in Debian's Chromium: signs in by the printed link, searches, connects, embeds.
// Every page and state is checked by axe, and nothing may be written to the browser's error log.
//
// usage: node console.cjs FACTS.json OUT_DIR SCENARIO…
// FACTS: url, console_url, ingest_key, admin_key, tenant, and what a scenario needs. OUT_DIR takes screenshots.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [, , factsPath, outDir, ...wanted] = process.argv;
const facts = JSON.parse(fs.readFileSync(factsPath, "utf8"));
const axeSource = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const found = { states: 0, notes: [] };

function check(condition, what) {
    if (!condition) throw new Error(what);
}

async function open(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
    const page = await context.newPage();
    page.errors = [];
    page.on("console", (message) => {
        // Browsers ask for it by themselves beside a bare image.
        const asked = message.location().url.endsWith("/favicon.ico");
        if (message.type() === "error" && !asked) page.errors.push(`${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => page.errors.push(String(error)));
    await page.addInitScript(() => {
        window.violations = [];
        document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    return page;
}

/** Axe over the page as it stands. It is evaluated by the driver, not by the page, so the page's policy stays in force. */
async function axe(page, state) {
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
    const told = violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(" ")} ${node.failureSummary}`));
    check(told.length === 0, `${state}: ${told.join("\n")}`);
    found.states += 1;
}

async function clean(page, state, allowed = []) {
    if (process.env.TRACE) process.stderr.write(`  ${state}\n`);
    await axe(page, state);
    const violations = await page.evaluate(() => window.violations);
    check(violations.length === 0, `${state}: the policy was violated: ${violations.join(", ")}`);
    const errors = page.errors.filter((text) => !allowed.some((one) => text.includes(one)));
    check(errors.length === 0, `${state}: ${errors.join("\n")}`);
    page.errors.length = 0;
}

const shot = (page, name) => page.screenshot({ path: path.join(outDir, `${name}.png`) });
const ready = (page) => page.locator("[data-widget=audit-log-viewer][data-state=ready]").waitFor();
const rows = (page) => page.getByRole("table", { name: "Events, newest first" }).locator(".row-toggle");

async function theme(page, name) {
    await page.evaluate((value) => localStorage.setItem("attestary.theme", value), name);
    await page.reload();
}

const scenarios = {
    /** From the printed link to the first event seen. */
    async first(browser) {
        const page = await open(browser);
        const began = Date.now();
        await page.goto(facts.console_url);
        await page.getByRole("link", { name: "Tenants" }).click();
        await page.getByRole("button", { name: "New tenant" }).click();
        await page.getByRole("dialog").getByLabel("Id", { exact: true }).fill("fresh");
        await clean(page, "new tenant");
        await page.getByRole("button", { name: "Make the tenant" }).click();
        await page.getByRole("link", { name: "fresh" }).click();
        await page.getByRole("heading", { name: "Waiting for the first event" }).waitFor();
        await clean(page, "waiting");
        await page.getByRole("button", { name: "Make an ingest key and fill it in" }).click();
        await page.getByText("The key is filled in below").waitFor();
        const call = await page.locator(".teach pre.code").innerText();
        const key = /Bearer (\w+)/.exec(call)[1];
        const body = /-d '(.*)'/s.exec(call)[1];
        await shot(page, "first-event-light");
        const reply = await fetch(`${facts.url}/v1/events`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body });
        check(reply.status === 201, `the shown call answers ${reply.status}`);
        await page.getByRole("button", { name: /Alice signed in/ }).waitFor();
        found.notes.push(`zero to first event seen: ${((Date.now() - began) / 1000).toFixed(1)} s`);
        await clean(page, "first event");
        // The link worked once.
        const other = await open(browser);
        await other.goto(facts.console_url);
        await other.getByText("This link was used already").waitFor();
        await clean(other, "used link", ["401"]);
        await shot(other, "sign-in-light");
        await page.context().storageState({ path: path.join(outDir, "state.json") });
    },

    async search(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events`);
        await ready(page);
        await clean(page, "search");
        await shot(page, "search-light");
        // Text and chips are one filter.
        const text = page.getByRole("combobox", { name: "Filter" });
        await text.fill("outcome:failure actor.id:alice");
        await text.press("Enter");
        await page.getByRole("button", { name: "Turn actor.id:alice into its opposite" }).click();
        check((await text.inputValue()) === "outcome:failure -actor.id:alice", await text.inputValue());
        await page.getByRole("button", { name: "Remove -actor.id:alice" }).click();
        check((await text.inputValue()) === "outcome:failure", await text.inputValue());
        await ready(page);
        check((await page.locator(".outcome-success.outcome").count()) === 0, "only failures are left");
        check(new URL(page.url()).searchParams.get("q") === "outcome:failure", page.url());
        // What is wrong is marked where it is wrong.
        await text.fill("outcome:failure (actor.id:é");
        await page.getByText("something is missing at the end").waitFor();
        await clean(page, "filter error");
        await text.fill("a:1 $x:(");
        check((await page.locator(".filter-error mark").innerText()) === "(", "the mark stands under the parenthesis");
        await text.fill("outc");
        await page.getByRole("option", { name: "outcome" }).waitFor();
        await text.press("ArrowDown");
        await text.press("Enter");
        check((await text.inputValue()) === "outcome:", await text.inputValue());
        await page.getByRole("option", { name: /failure/ }).waitFor();
        await clean(page, "completion");
        await text.fill("");
        await text.press("Enter");
        await ready(page);
        // Facets append; Alt leaves out.
        await page.getByRole("button", { name: /Only action = user.login \(/ }).click();
        await page.getByRole("button", { name: /Without actor.id = bob/ }).click();
        check((await text.inputValue()) === "action=user.login -actor.id=bob", await text.inputValue());
        // Details, related, permalink.
        await ready(page);
        await rows(page).first().click();
        await page.getByRole("tab", { name: "Fields" }).waitFor();
        await page.getByText("9007199254740993").waitFor();
        await clean(page, "details");
        for (const tab of ["JSON", "Related"]) {
            await page.getByRole("tab", { name: tab }).click();
            await clean(page, `details, ${tab}`);
        }
        const address = page.url();
        await page.reload();
        await page.getByRole("tab", { name: "Fields" }).waitFor();
        check(page.url() === address, "a reload keeps the state");
        // The histogram's brush sets a range, a double-click takes it back.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?q=action:document.updated`);
        await ready(page);
        const plot = await page.locator(".plot .u-over").boundingBox();
        await page.mouse.move(plot.x + plot.width * 0.4, plot.y + 30);
        await page.mouse.down();
        await page.mouse.move(plot.x + plot.width * 0.8, plot.y + 30, { steps: 8 });
        await page.mouse.up();
        await page.waitForURL(/from=.*to=/);
        await ready(page);
        await clean(page, "brushed");
        await page.locator(".plot .u-over").dblclick();
        await page.waitForURL(/range=24h/);
        await ready(page);
        // Changes, and the zone.
        await rows(page).first().click();
        await page.getByRole("tab", { name: "Changes" }).click();
        await page.locator("del", { hasText: "draft" }).waitFor();
        await clean(page, "changes");
        await shot(page, "changes-light");
        const before = await page.locator(".c-time time").first().innerText();
        await page.getByLabel("Time zone").selectOption("utc");
        check((await page.locator(".c-time time").first().innerText()) !== before, "the zone changes the times shown");
        await page.getByRole("button", { name: "API", exact: true }).click();
        await page.getByRole("dialog").getByText("authorization: Bearer").waitFor();
        await clean(page, "API dialog");
        await page.keyboard.press("Escape");
        // Nothing found is said, and what to do.
        await text.fill("action:nothing.like.this");
        await text.press("Enter");
        await page.getByRole("heading", { name: "No event matches" }).waitFor();
        await clean(page, "no match");
        // Hostile addresses give an inline error or nothing, never a broken page.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?q=${encodeURIComponent("((((<script>")}&from=yesterday&range=%00&open=%3Cimg%3E`);
        await page.getByRole("combobox", { name: "Filter" }).waitFor();
        await page.waitForTimeout(500);
        await clean(page, "hostile address", ["400"]);
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events`);
        await ready(page);
        await theme(page, "dark");
        await ready(page);
        await clean(page, "search, dark");
        await shot(page, "search-dark");
        await rows(page).nth(2).click();
        await clean(page, "details, dark");
        await shot(page, "details-dark");
    },

    /** From one event to everything of its request, its session, its person and its object. */
    async trail(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const text = page.getByRole("combobox", { name: "Filter" });
        const ways = { request: "context.request_id=", session: "context.session_id=", actor: "actor.id=", target: "target.id=" };
        for (const [way, field] of Object.entries(ways)) {
            await page.goto(`${facts.url}/console/t/${facts.tenant}/events?q=action:document.updated`);
            await ready(page);
            await rows(page).first().click();
            await page.getByRole("tab", { name: "Related" }).click();
            await page.getByRole("button", { name: `Same ${way}` }).click();
            await page.waitForURL((url) => (url.searchParams.get("q") || "").startsWith(field));
            await ready(page);
            const filter = await text.inputValue();
            const query = new URLSearchParams({ tenant: facts.tenant, filter, limit: "1000" });
            const reply = await fetch(`${facts.url}/v1/events?${query}`, { headers: { authorization: `Bearer ${facts.read_key}` } });
            const wanted = (await reply.json()).data;
            check(wanted.length >= 2, `${filter} finds ${wanted.length}`);
            if (way !== "actor") await page.waitForFunction((count) => document.querySelectorAll(".row-toggle").length >= count, Math.min(wanted.length, 10));
            if (way === "request") check((await rows(page).count()) === wanted.length, `${await rows(page).count()} rows of ${wanted.length}`);
            await clean(page, `same ${way}`);
        }
    },

    async live(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events`);
        await ready(page);
        await page.getByRole("button", { name: "Follow live" }).click();
        await page.getByRole("button", { name: "Live", exact: true }).waitFor();
        const body = { tenant: facts.tenant, action: "live.seen", actor: { id: "live" } };
        const send = () => fetch(`${facts.url}/v1/events`, { method: "POST", headers: { authorization: `Bearer ${facts.ingest_key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
        await send();
        await page.getByRole("button", { name: /Show one new event/ }).waitFor();
        await clean(page, "live");
        await page.getByRole("button", { name: /Show one new event/ }).click();
        await page.getByRole("button", { name: /live seen the live|live.seen/ }).first().waitFor();
    },

    /** Text of strangers stays text, in every place that shows it. */
    async hostile(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?q=action:note.created`);
        await ready(page);
        const count = await rows(page).count();
        check(count === facts.hostile, `${count} hostile rows of ${facts.hostile}`);
        for (let at = 0; at < count; at++) {
            await rows(page).nth(at).click();
            for (const tab of ["Fields", "Changes", "JSON", "Related"]) await page.getByRole("tab", { name: tab }).click();
            check((await page.locator("main img, main script, main b > b").count()) === 0, "no element came from an event");
            await clean(page, `hostile row ${at}`);
            await page.keyboard.press("Escape");
        }
        check(!(await page.title()).includes("broken"), "nothing ran");
        check(!(await page.locator("main").innerText()).match(/[\u202a-\u202e\u2066-\u2069]/), "direction characters are shown by name");
        await shot(page, "hostile-light");
    },

    /** The whole tour without a mouse. */
    async keyboard(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events`);
        await ready(page);
        await page.keyboard.press("Tab");
        check((await page.evaluate(() => document.activeElement.className)) === "skip", "the first stop skips to the events");
        await page.keyboard.press("/");
        await page.keyboard.type("outcome:failure");
        await page.keyboard.press("Enter");
        await page.keyboard.press("Escape");
        await ready(page);
        await page.keyboard.press("j");
        await page.keyboard.press("j");
        await page.waitForTimeout(200);
        const focused = () => page.evaluate(() => document.activeElement.closest("[data-index]")?.dataset.index);
        check((await focused()) === "1", `j moves to the next row: ${await focused()}`);
        await page.keyboard.press("Enter");
        await page.getByRole("tab", { name: "Fields" }).waitFor();
        await page.keyboard.press("Escape");
        await page.waitForTimeout(200);
        check((await page.getByRole("tab").count()) === 0, "Escape closes the details");
        check((await focused()) === "1", `the focus is back on the row: ${await focused()}`);
        // Rows are recycled while the focus walks; it is never lost.
        for (let step = 0; step < 60; step++) await page.keyboard.press("j");
        await page.waitForTimeout(300);
        check((await focused()) !== undefined, "the focus stays in the rows");
        // Arrows walk too, and Tab leaves the rows.
        const before = Number(await focused());
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("ArrowUp");
        check(Number(await focused()) === before + 1, `arrows walk from ${before} to ${await focused()}`);
        await page.keyboard.press("Home");
        check((await focused()) === "0", "Home is the first row");
        await page.keyboard.press("Tab");
        check((await focused()) === undefined, "Tab leaves the rows");
        await page.keyboard.press("Shift+Tab");
        check((await focused()) === "0", "and comes back to the row");
        await page.keyboard.press("x");
        await page.waitForURL(/q=.*action/);
        await page.keyboard.press("?");
        await page.getByRole("heading", { name: "Keyboard" }).waitFor();
        await clean(page, "help");
        await shot(page, "help-light");
        await page.keyboard.press("Escape");
        // At once: the focus may still be on the closed dialog's checkbox.
        await page.keyboard.press("g");
        await page.keyboard.press("d");
        await page.getByRole("heading", { name: "Destinations" }).waitFor();
        // A destination is made and tested by keys alone.
        const tabTo = async (locator) => {
            await locator.waitFor();
            for (let step = 0; step < 250; step++) {
                if (await locator.evaluate((one) => one === document.activeElement)) return;
                await page.keyboard.press("Tab");
            }
            throw new Error(`Tab does not lead to ${locator}`);
        };
        const press = async (locator) => (await tabTo(locator), page.keyboard.press("Enter"));
        await press(page.getByRole("link", { name: "New destination" }));
        await tabTo(page.getByRole("radio", { name: /Webhook/ }));
        await page.keyboard.press("ArrowDown");
        check(await page.getByRole("radio", { name: /E-mail/ }).isChecked(), "arrows choose the type");
        await page.keyboard.press("ArrowUp");
        await press(page.getByRole("button", { name: "Next" }));
        await tabTo(page.getByLabel("Name", { exact: true }));
        await page.keyboard.type("By keys");
        await tabTo(page.getByLabel("Address (URL)"));
        await page.keyboard.type(facts.webhook);
        await page.keyboard.press("Enter");
        await page.getByRole("textbox", { name: "Which events" }).waitFor();
        await tabTo(page.getByRole("textbox", { name: "Which events" }));
        await page.keyboard.type("action:nothing.like.this");
        await page.keyboard.press("Enter");
        await press(page.getByRole("button", { name: "Next" }));
        await press(page.getByRole("button", { name: "Create and test" }));
        await page.getByText("The test arrived").waitFor();
        await press(page.getByRole("link", { name: "Go to the destination" }));
        await press(page.getByRole("button", { name: "Delete" }));
        await press(page.getByRole("dialog", { name: "Delete" }).getByRole("button", { name: "Delete" }));
        await page.getByRole("region", { name: "What was done here" }).getByText("destination.delete").first().waitFor();
        check((await page.getByRole("link", { name: "By keys" }).count()) === 0, "the destination is gone");
        // A search is saved as a view and found again.
        await page.keyboard.press("g");
        await page.keyboard.press("e");
        await ready(page);
        await press(page.getByRole("button", { name: "Save as a view" }));
        await page.keyboard.type("By keys");
        await page.keyboard.press("Enter");
        await page.getByRole("dialog", { name: "Save this search as a view" }).waitFor({ state: "hidden" });
        await press(page.getByRole("link", { name: "Views" }));
        await press(page.getByRole("link", { name: "By keys" }));
        await page.getByRole("heading", { name: "By keys" }).waitFor();
        await press(page.getByRole("button", { name: "Delete" }));
        await press(page.getByRole("dialog", { name: "Delete" }).getByRole("button", { name: "Delete" }));
        await page.getByRole("link", { name: /Ten or more failed logins/ }).waitFor();
        await page.keyboard.press("g");
        await page.keyboard.press("e");
        await ready(page);
        await page.keyboard.press("t");
        await page.keyboard.press("End");
        await page.getByLabel("From", { exact: true }).waitFor();
        await clean(page, "custom range");
    },

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

    /** Scrolling over 100,000 loaded rows: what the main thread does for each frame. A figure, no check. */
    async scrolling(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.addInitScript(() => localStorage.setItem("attestary.columns.1", '["time","outcome","event","action","ip"]'));
        const count = 100_000;
        const received = Date.now();
        const row = (at) => ({
            id: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`, tenant: facts.tenant, environment: "development", seq: count - at, received_at: new Date(received - at * 1000).toISOString(),
            action: at % 3 ? "document.viewed" : "user.login.failed", outcome: at % 3 ? "success" : "failure", actor: { type: "user", id: `u${at % 97}`, name: `Person ${at % 97}` },
            targets: [{ type: "document", id: `d${at % 31}`, name: `Document ${at % 31}` }], context: { ip: `192.0.2.${at % 200}` }, leaf_hash: "",
        });
        const body = JSON.stringify({ data: Array.from({ length: count }, (_, at) => row(at)), next_cursor: null });
        await page.route(/\/v1\/events\?/, (route) => route.fulfill({ contentType: "application/json", body }));
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?range=all`);
        await ready(page);
        const session = await page.context().newCDPSession(page);
        // Time of the processor, not of the clock: others use this machine too.
        await session.send("Performance.enable", { timeDomain: "threadTicks" });
        const spent = async () => (await session.send("Performance.getMetrics")).metrics.find((one) => one.name === "TaskDuration").value * 1000;
        for (const [name, step] of [["a wheel's step", 120], ["a page", 600], ["far jumps", 34 * 997]]) {
            const before = await spent();
            const frames = await page.evaluate(async (by) => {
                const scroller = document.querySelector(".tbody");
                scroller.scrollTop = 0;
                for (let frame = 0; frame < 120; frame++) {
                    scroller.scrollTop += by;
                    await new Promise(requestAnimationFrame);
                }
                return 120;
            }, step);
            found.notes.push(`scrolling over ${count} rows by ${name}: ${(((await spent()) - before) / frames).toFixed(1)} ms of main thread a frame`);
        }
        check((await rows(page).count()) < 100, "only rows near the sight are in the document");
        await clean(page, "100,000 rows");
    },

    /** A log with many events: from the address to the first rows, and from another filter to its rows. Figures, no check. */
    async speed(browser) {
        const sorted = (list) => [...list].sort((a, b) => a - b);
        const told = (list) => `p50 ${sorted(list)[Math.floor(list.length / 2)].toFixed(0)}, p95 ${sorted(list)[Math.ceil(list.length * 0.95) - 1].toFixed(0)}`;
        const state = path.join(outDir, "speed-state.json");
        const first = await open(browser);
        await first.goto(facts.console_url);
        await ready(first);
        await first.context().storageState({ path: state });
        const at = `${facts.url}/console/t/${facts.tenant}/events?range=all`;
        const painted = { wall: [], processor: [], server: [] };
        for (let round = 0; round < 10; round++) {
            const page = await open(browser, { storageState: state });
            const session = await page.context().newCDPSession(page);
            await session.send("Performance.enable", { timeDomain: "threadTicks" });
            await page.addInitScript(() => {
                new MutationObserver((_, observer) => {
                    if (!document.querySelector(".slot")) return;
                    observer.disconnect();
                    // After the frame in which they are painted.
                    requestAnimationFrame(() => setTimeout(() => (window.painted = performance.now())));
                }).observe(document, { childList: true, subtree: true });
            });
            await page.goto(at);
            await page.waitForFunction(() => window.painted);
            const metrics = (await session.send("Performance.getMetrics")).metrics;
            painted.wall.push(await page.evaluate(() => window.painted));
            painted.processor.push(metrics.find((one) => one.name === "TaskDuration").value * 1000);
            painted.server.push(await page.evaluate(() => performance.getEntriesByType("resource").find((one) => /\/v1\/events\?/.test(one.name)).responseEnd - performance.getEntriesByType("resource").find((one) => /\/v1\/events\?/.test(one.name)).requestStart));
            await page.context().close();
        }
        const size = await first.evaluate(() => document.querySelector("[data-log-size]")?.dataset.logSize);
        found.notes.push(`first rows over ${size ?? "?"} events, ten visits: ${told(painted.wall)} ms by the clock, of which ${told(painted.server)} ms wait for /v1/events; ${told(painted.processor)} ms of processor in the page`);
        const page = await open(browser, { storageState: state });
        await page.goto(at);
        await ready(page);
        const changed = { wall: [], server: [] };
        const filters = ["alice", "bob", "carla", "dmitri", "eve"].flatMap((actor) => ["action:user.login", "action:document.*", "outcome:failure", "outcome:denied"].map((rest) => `actor.id:${actor} ${rest}`));
        for (const filter of filters) {
            const spent = await page.evaluate(async (text) => {
                const input = document.querySelector(".filter-text");
                const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
                performance.clearResourceTimings();
                set.call(input, text);
                input.dispatchEvent(new Event("input", { bubbles: true }));
                await new Promise(requestAnimationFrame);
                const before = document.querySelector(".slot")?.dataset.key;
                const began = performance.now();
                input.form.requestSubmit();
                while (document.querySelector(".slot")?.dataset.key === before && performance.now() - began < 20000) await new Promise((resolve) => setTimeout(resolve, 2));
                await new Promise(requestAnimationFrame);
                const asked = performance.getEntriesByType("resource").find((one) => /\/v1\/events\?/.test(one.name));
                return { wall: performance.now() - began, server: asked ? asked.responseEnd - asked.requestStart : 0 };
            }, filter);
            changed.wall.push(spent.wall);
            changed.server.push(spent.server);
            await ready(page);
            await page.waitForTimeout(200);
        }
        found.notes.push(`another filter to its rows, ${filters.length} filters: ${told(changed.wall)} ms by the clock, of which ${told(changed.server)} ms wait for /v1/events`);
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

    async destinations(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const began = Date.now();
        await page.goto(`${facts.url}/console/t/${facts.tenant}/destinations`);
        await page.getByRole("link", { name: "New destination" }).click();
        await clean(page, "wizard, type");
        await page.getByRole("radio", { name: /Webhook/ }).check();
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByLabel("Name").fill("Security team");
        await page.getByLabel("Address (URL)").fill(facts.webhook);
        await page.getByLabel("Further headers").fill("x-team: blue");
        await page.getByText("More settings").click();
        await clean(page, "wizard, connection");
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("textbox", { name: "Which events" }).fill("outcome:failure");
        await page.getByText(/\d+ of [\d,]+ events of the last 7 days match/).waitFor();
        await clean(page, "wizard, filter");
        await shot(page, "wizard-light");
        await page.getByLabel("Begin with").selectOption("beginning");
        await page.getByRole("button", { name: "Next" }).click();
        const preview = page.getByRole("group", { name: "What will be sent" });
        await preview.getByText('"outcome":"failure"').first().waitFor();
        await clean(page, "wizard, format");
        // The preview is what another format would send, byte for byte.
        await page.getByRole("combobox", { name: /^Format/ }).selectOption("cef");
        await preview.getByText(/CEF:0\|/).first().waitFor();
        await clean(page, "wizard, preview of CEF");
        await shot(page, "preview-light");
        await page.getByRole("combobox", { name: /^Format/ }).selectOption("json");
        await preview.getByText('"outcome":"failure"').first().waitFor();
        await page.getByRole("button", { name: "Next" }).click();
        check(!(await page.locator("form").innerText()).includes("blue"), "a secret is not shown again");
        await clean(page, "wizard, review");
        await page.getByRole("button", { name: "Create and test" }).click();
        await page.getByText("The test arrived").waitFor();
        await page.getByText("The signing secret is shown this once").waitFor();
        found.notes.push(`first destination green: ${((Date.now() - began) / 1000).toFixed(1)} s`);
        await clean(page, "wizard, made");
        await page.getByRole("link", { name: "Go to the destination" }).click();
        await page.getByText("Up to date").waitFor();
        await page.getByText(/Every event up to seq/).waitFor();
        await page.getByRole("button", { name: "Compare with the log" }).click();
        await page.getByText("The log gives the same tree").waitFor();
        await clean(page, "destination");
        await shot(page, "destination-light");
        await page.getByRole("button", { name: "Send again" }).click();
        const replay = page.getByRole("dialog", { name: "Send again" });
        await replay.getByLabel("From seq").fill("1");
        await replay.getByLabel(/^To seq/).fill("200");
        await clean(page, "new replay");
        await replay.getByRole("button", { name: "Start" }).click();
        await page.getByRole("row", { name: /^1–200 Done/ }).waitFor();
        await page.getByRole("button", { name: "New signing secret" }).click();
        await page.getByRole("dialog", { name: "New signing secret" }).getByRole("button", { name: "New signing secret" }).click();
        await page.getByText("The signing secret is shown this once").waitFor();
        await clean(page, "destination, replayed and rotated");
        await page.getByRole("region", { name: "What was done here" }).getByText("destination.secret.rotate").first().waitFor();
        // Changed: the settings are there, and what is secret stays.
        await page.getByRole("button", { name: "Change", exact: true }).click();
        const change = page.getByRole("dialog", { name: "Change" });
        check((await change.getByLabel("Address (URL)").inputValue()) === facts.webhook, "the address is there");
        check((await change.getByLabel("Further headers").inputValue()) === "x-team: ", "of secret headers the names are there");
        await change.getByLabel("Name").fill("Security team, renamed");
        await clean(page, "change a destination");
        await change.getByRole("button", { name: "Save" }).click();
        await page.getByRole("heading", { name: "Security team, renamed" }).waitFor();
        await page.getByRole("button", { name: "Pause" }).click();
        await page.locator(".state-paused").waitFor();
        await clean(page, "destination, paused");
        await page.getByRole("button", { name: "Resume" }).click();
        await page.locator(".state-active").waitFor();
        await theme(page, "dark");
        await page.getByText(/Every event up to seq/).waitFor();
        await clean(page, "destination, dark");
        await shot(page, "destination-dark");
    },

    /** Each type of destination: the form asks for what the server knows, no more and no less; a test says where it stopped. */
    async types(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const base = `${facts.url}/v1/tenants/${facts.tenant}/destinations`;
        const refused = async (body) => {
            const reply = await fetch(`${base}/preview`, { method: "POST", headers: { authorization: `Bearer ${facts.admin_key}`, "content-type": "application/json" }, body: JSON.stringify({ name: "x", ...body }) });
            return (await reply.json()).errors.map((one) => `${one.pointer} ${one.detail}`);
        };
        const known = (errors) => (/known: (.*)$/.exec(errors.find((one) => one.includes("; known: ")) || "") || ["", ""])[1].split(", ").filter(Boolean).sort();
        const types = known(await refused({ type: "nothing", config: {} }));
        check(types.length >= 19, `the server knows ${types.length} types`);
        await page.goto(`${facts.url}/console/t/${facts.tenant}/destinations/new`);
        await page.getByRole("radio").first().waitFor();
        const offered = await page.getByRole("radio").evaluateAll((all) => all.map((one) => one.value).sort());
        check(offered.join() === types.join(), `offered: ${offered}; known: ${types}`);
        for (const type of types) {
            const errors = await refused({ type, config: { zzz: 1 } });
            await page.locator(`input[type=radio][value="${type}"]`).check();
            await page.getByRole("button", { name: "Next" }).click();
            await page.getByLabel("Name", { exact: true }).waitFor();
            if (await page.getByText("More settings").count()) await page.getByText("More settings").click();
            const fields = await page.locator("form [name]").evaluateAll((all) => all.map((one) => [one.name, one.required]));
            const names = [...new Set(fields.map(([name]) => name.split(".")[0]))].sort();
            // The address of Sumo Logic is a secret and has its own place in the server's list.
            check(names.join() === known(errors).join(), `${type} asks for ${names}; known: ${known(errors)}`);
            const must = errors.map((one) => /^\/config\/(\w+) (?:is required|must (?:be|name|have) 1 to)/.exec(one)).filter(Boolean).map((found) => found[1]).sort();
            check(fields.filter(([, required]) => required).map(([name]) => name).sort().join() === must.join(), `${type} must have ${must}`);
            await axe(page, `wizard, ${type}`);
            await page.getByRole("button", { name: "Previous" }).click();
        }
        await page.getByRole("radio", { name: /Amazon S3/ }).check();
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByText("More settings").click();
        await clean(page, "wizard, settings of S3");
        await shot(page, "wizard-s3-light");
        await page.getByRole("button", { name: "Previous" }).click();
        // A collector that is not there: the wizard says where it stopped, and what is missing is asked for first.
        await page.getByRole("radio", { name: /Syslog/ }).check();
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByLabel("Name", { exact: true }).fill("Nobody");
        await page.getByRole("button", { name: "Next" }).click();
        check(await page.getByLabel("Address (host:port)").evaluate((one) => !one.validity.valid), "the address is asked for");
        await page.getByLabel("Address (host:port)").fill("127.0.0.1:9");
        await page.getByLabel("Transport").selectOption("tcp");
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("group", { name: "What will be sent" }).getByText(/CEF:0\|/).first().waitFor();
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("button", { name: "Create and test" }).click();
        await page.getByText("It stopped at: no connection.").waitFor();
        await clean(page, "wizard, diagnosis");
        await shot(page, "diagnosis-light");
        await page.getByRole("link", { name: "Go to the destination" }).click();
        await page.getByRole("button", { name: "Delete" }).click();
        await page.getByRole("dialog", { name: "Delete" }).getByRole("button", { name: "Delete" }).click();
        await page.getByRole("heading", { name: "Destinations" }).waitFor();
        await page.getByRole("region", { name: "What was done here" }).getByText("destination.delete").first().waitFor();
        await clean(page, "destinations, trail");
        await page.evaluate(() => localStorage.setItem("attestary.language", "de"));
        await page.goto(`${facts.url}/console/t/${facts.tenant}/destinations/new?type=loki`);
        await page.getByText("Zeilen mit strukturierten Metadaten").waitFor();
        await page.getByRole("button", { name: "Weiter" }).click();
        await theme(page, "dark");
        await page.getByText("Zeilen mit strukturierten Metadaten").waitFor();
        await clean(page, "wizard, German, dark");
    },

    /** Views: the shipped questions in at most three actions; saving, opening, renaming, deleting one's own. */
    async views(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const events = `${facts.url}/console/t/${facts.tenant}/events?range=all&q=outcome:failure`;
        await page.goto(events);
        await ready(page);
        await page.getByRole("button", { name: "Save as a view" }).click();
        const form = page.getByRole("dialog", { name: "Save this search as a view" });
        await form.getByLabel("The question in words").fill("What failed");
        await form.getByLabel("Count by").selectOption("actor.id");
        await clean(page, "save a view");
        await form.getByRole("button", { name: "Save" }).click();
        await form.waitFor({ state: "hidden" });
        await page.getByLabel("Questions").selectOption({ label: "What failed" });
        await page.waitForURL(/q=outcome%3Afailure/);
        await ready(page);
        await page.getByRole("link", { name: "Views" }).click();
        await page.getByRole("link", { name: "What failed" }).waitFor();
        await clean(page, "views");
        await shot(page, "views-light");
        // Every shipped question: one action to the list, one to the answer, one more for the object.
        const shipped = page.getByRole("row", { name: /comes with Attestary/ });
        const count = await shipped.count();
        check(count === 7, `${count} shipped views`);
        const names = await shipped.getByRole("link").allInnerTexts();
        for (const name of names) {
            await page.getByRole("link", { name: "Views", exact: true }).click();
            await page.getByRole("link", { name, exact: true }).click();
            if (name.includes("this object")) {
                await page.getByLabel("Id of the object").fill("doc_7");
                await page.keyboard.press("Enter");
                await page.waitForURL(/target=doc_7/);
            }
            await page.getByText(/events? match(es)?\./).waitFor();
            await clean(page, `view: ${name}`);
        }
        await page.goto(`${facts.url}/console/t/${facts.tenant}/views/object-access?target=doc_7`);
        await page.getByRole("heading", { name: "Newest events" }).waitFor();
        await shot(page, "view-light");
        await page.reload();
        await page.getByRole("heading", { name: "Newest events" }).waitFor();
        check((await page.getByLabel("Id of the object").inputValue()) === "doc_7", "a reload keeps the object");
        // One's own: renamed, opened by its address, made an alert of, deleted.
        await page.getByRole("link", { name: "Views", exact: true }).click();
        await page.getByRole("row", { name: /What failed/ }).getByRole("button", { name: "Change" }).click();
        const change = page.getByRole("dialog", { name: "Change" });
        await change.getByLabel("Question").fill("All that failed");
        await change.getByLabel("Which events").fill("outcome:(");
        await change.getByRole("button", { name: "Save" }).click();
        await change.getByRole("alert").waitFor();
        await clean(page, "view refused", ["400"]);
        await change.getByLabel("Which events").fill("outcome:failure");
        await change.getByRole("button", { name: "Save" }).click();
        await page.getByRole("link", { name: "All that failed" }).click();
        await page.getByRole("heading", { name: "All that failed" }).waitFor();
        await page.getByRole("heading", { name: "Newest events" }).waitFor();
        const address = page.url();
        await page.locator(".about-counts a").first().click();
        await ready(page);
        check((await page.getByRole("combobox", { name: "Filter" }).inputValue()).startsWith("outcome:failure actor.id="), "a count leads to its events");
        await page.goto(address);
        await page.getByRole("button", { name: "Delete" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
        await page.getByRole("region", { name: "What was done here" }).getByText("view.delete").first().waitFor();
        check((await page.getByRole("link", { name: "All that failed" }).count()) === 0, "the view is gone");
        await page.goto(address);
        await page.getByRole("heading", { name: "There is no such view" }).waitFor();
        await clean(page, "view that is gone");
        await page.evaluate(() => localStorage.setItem("attestary.language", "de"));
        await page.goto(`${facts.url}/console/t/${facts.tenant}/views/failed-logins`);
        await page.getByRole("heading", { name: /fehlgeschlagene Anmeldungen/ }).waitFor();
        await theme(page, "dark");
        await page.getByRole("heading", { name: "Neueste Ereignisse" }).waitFor();
        await clean(page, "view, German, dark");
        await shot(page, "view-german-dark");
    },

    /** Alerts: made of a search, of a view, by hand; switched off, changed, sent on; what is raised is an event. */
    async alerts(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const at = `${facts.url}/console/t/${facts.tenant}/alerts`;
        await page.goto(at);
        await page.getByRole("heading", { name: "No alerts yet" }).waitFor();
        await clean(page, "alerts, none");
        // By hand; what is wrong is said, what it would have selected is counted.
        await page.getByRole("button", { name: "New alert" }).click();
        const form = page.getByRole("dialog", { name: "New alert" });
        await form.getByLabel("Name").fill("Failed logins");
        await form.getByLabel("Which events").fill("action:user.login.failed (");
        await form.getByText("something is missing at the end").waitFor();
        check(await form.getByRole("button", { name: "Save the alert" }).isDisabled(), "what is no filter is not sent");
        await clean(page, "new alert, wrong filter");
        await form.getByLabel("Which events").fill("action:user.login.failed");
        await form.getByText(/of [\d,]+ events of the last 7 days match/).waitFor();
        await form.getByLabel("Events", { exact: true }).fill("3");
        await form.getByLabel("Within").fill("10");
        await form.getByRole("combobox", { name: /^Unit/ }).selectOption("m");
        await form.getByLabel(/^Counted for each/).fill("a b");
        await form.getByRole("button", { name: "Save the alert" }).click();
        await form.getByRole("alert").waitFor();
        await clean(page, "alert refused", ["400"]);
        await form.getByLabel(/^Counted for each/).fill("actor.id");
        await form.getByRole("button", { name: "Save the alert" }).click();
        const one = page.locator("li.card", { hasText: "Failed logins" });
        await one.getByText("Raised at 3 events within 10 minutes with the same value of Actor.").waitFor();
        await one.getByText("Never raised.").waitFor();
        await clean(page, "alerts");
        // It is raised, once for its window.
        const send = (body) => fetch(`${facts.url}/v1/events`, { method: "POST", headers: { authorization: `Bearer ${facts.ingest_key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
        const failed = { tenant: facts.tenant, action: "user.login.failed", outcome: "failure", actor: { type: "user", id: "mallory" } };
        for (let count = 0; count < 5; count++) check((await send(failed)).status === 201, "an event is taken");
        const raised = page.getByRole("row", { name: /Failed logins mallory/ });
        for (let tries = 0; (await raised.count()) === 0; tries++) {
            check(tries < 60, "the alert is raised");
            await page.waitForTimeout(500);
            await page.reload();
            await one.waitFor();
            await page.waitForTimeout(300);
        }
        check((await raised.count()) === 1, `raised ${await raised.count()} times`);
        await one.getByText(/^Last raised/).waitFor();
        await clean(page, "alerts, raised");
        await shot(page, "alerts-light");
        await one.getByRole("link", { name: "its alerts" }).click();
        await ready(page);
        check((await rows(page).count()) === 1, "the filter of the alert selects what it raised");
        await page.goBack();
        // Sent on: the wizard begins with the alert's own filter.
        await one.getByText("Send to").click();
        await clean(page, "alerts, where to");
        await one.getByRole("link", { name: "E-mail" }).click();
        check(await page.getByRole("radio", { name: /E-mail/ }).isChecked(), "the type is chosen");
        await page.getByRole("button", { name: "Next" }).click();
        check((await page.getByLabel("Name", { exact: true }).inputValue()) === "Failed logins", "the name is there");
        await page.getByLabel("Address (host:port)").fill("smtp.example.com:587");
        await page.getByLabel("Sender").fill("audit@example.com");
        await page.getByLabel("Recipients, between commas").fill("soc@example.org");
        await page.getByRole("button", { name: "Next" }).click();
        check((await page.getByRole("textbox", { name: "Which events" }).inputValue()).includes("alr_"), "the filter is that of the alert");
        await page.getByText(/^1 of /).waitFor();
        await clean(page, "wizard from an alert");
        // Switched off, changed.
        await page.goto(at);
        await one.getByRole("button", { name: "Switch off" }).click();
        await one.getByText("off", { exact: true }).waitFor();
        await one.getByRole("button", { name: "Change the alert" }).click();
        const change = page.getByRole("dialog", { name: "Change the alert" });
        check((await change.getByLabel("Within").inputValue()) === "10", "the window is there");
        await change.getByLabel("Events", { exact: true }).fill("1");
        await change.getByLabel(/^Counted for each/).fill("");
        await clean(page, "change an alert");
        await change.getByRole("button", { name: "Save the alert" }).click();
        await one.getByText("Raised at one event within 10 minutes.").waitFor();
        // Of a search, and of a view.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?range=all&q=outcome:denied`);
        await ready(page);
        await page.getByRole("button", { name: "Make an alert" }).click();
        check((await form.getByLabel("Which events").inputValue()) === "outcome:denied", "the filter came with it");
        await form.getByLabel("Name").fill("Denied");
        await form.getByRole("button", { name: "Save the alert" }).click();
        await page.locator("li.card", { hasText: "Denied" }).waitFor();
        await page.goto(`${facts.url}/console/t/${facts.tenant}/views/failed-logins`);
        await page.getByRole("link", { name: "Make an alert of it" }).click();
        check((await form.getByLabel("Which events").inputValue()) === "category:authentication (outcome:failure OR outcome:denied)", "the alert has its own window");
        check((await form.getByLabel("Events", { exact: true }).inputValue()) === "10" && (await form.getByLabel(/^Counted for each/).inputValue()) === "actor.id", "threshold and grouping are those of the view");
        await clean(page, "alert of a view");
        await form.getByRole("button", { name: "Cancel" }).click();
        await page.locator("li.card", { hasText: "Denied" }).getByRole("button", { name: "Delete" }).click();
        await page.getByRole("dialog", { name: "Delete" }).getByRole("button", { name: "Delete" }).click();
        await page.locator("li.card", { hasText: "Denied" }).waitFor({ state: "detached" });
        await page.getByRole("region", { name: "What was done here" }).getByText("alert.delete").first().waitFor();
        await page.evaluate(() => localStorage.setItem("attestary.language", "de"));
        await page.goto(at);
        await theme(page, "dark");
        await page.getByText("Alarm bei einem Ereignis innerhalb von 10 Minuten.").waitFor();
        await clean(page, "alerts, German, dark");
        await shot(page, "alerts-german-dark");
    },

    /** Usage and quotas, environments, redaction with its dry run, schemas, tenants; each page ends with what was done on it. */
    async settings(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const trail = (operation) => page.getByRole("region", { name: "What was done here" }).getByText(operation).first().waitFor();
        await page.goto(`${facts.url}/console/usage`);
        const line = page.getByRole("row", { name: new RegExp(`^${facts.tenant} `) });
        await line.waitFor();
        await clean(page, "usage");
        await line.getByRole("button", { name: "Set a quota" }).click();
        const quota = page.getByRole("dialog", { name: new RegExp(`^Set a quota: ${facts.tenant}`) });
        await quota.getByLabel("Events a month").fill("5000000");
        await clean(page, "quota");
        await quota.getByRole("button", { name: "Save" }).click();
        await line.getByText(/of 5,000,000/).waitFor();
        await trail("quota.set");
        await clean(page, "usage with a quota");
        await shot(page, "usage-light");
        for (const by of ["key", "day"]) {
            await page.getByRole("combobox", { name: /^By/ }).selectOption(by);
            await page.waitForURL(new RegExp(`by=${by}`));
            await page.getByRole("columnheader", { name: by === "key" ? "API key" : "Day" }).waitFor();
            await clean(page, `usage by ${by}`);
        }
        await page.goto(`${facts.url}/console/environments`);
        await page.getByRole("button", { name: "New environment" }).click();
        const made = page.getByRole("dialog", { name: "New environment" });
        await made.getByLabel("Name").fill("staging");
        await clean(page, "new environment");
        await made.getByRole("button", { name: "Make the environment" }).click();
        const staging = page.getByRole("row", { name: /^staging / });
        await staging.getByText("make the tenant").waitFor();
        await staging.getByRole("button", { name: "Change" }).click();
        const closed = page.getByRole("dialog", { name: "Change: staging" });
        await closed.getByRole("checkbox", { name: /^Closed/ }).check();
        await closed.getByRole("button", { name: "Save" }).click();
        await staging.getByText("are refused").waitFor();
        await clean(page, "environments");
        await shot(page, "environments-light");
        // Redaction: a rule is tried before it is set; a value is found by its token.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/govern`);
        const part = page.getByRole("region", { name: "Redaction at intake" });
        await part.getByRole("button", { name: "Change the rules" }).click();
        const rules = page.getByRole("dialog", { name: "Change the rules" });
        await rules.getByRole("button", { name: "Add a rule" }).click();
        const rule = rules.getByRole("group", { name: "Rule 1" });
        await rule.getByLabel("Name").fill("mail");
        await rule.getByRole("textbox", { name: /^Fields/ }).fill("/actor/email");
        await rule.getByRole("combobox", { name: /^What becomes/ }).selectOption("hmac");
        await rules.getByRole("combobox", { name: /^Secrets in all/ }).selectOption("report");
        await rules.getByRole("button", { name: "What would this find?" }).click();
        await rules.getByText(/something would be redacted/).waitFor();
        await clean(page, "redaction, tried");
        await rules.getByRole("button", { name: "Set the rules" }).click();
        await part.getByRole("row", { name: /^mail \/actor\/email/ }).waitFor();
        await part.getByRole("button", { name: "What would be found?" }).click();
        await part.locator(".receipt", { hasText: "something would be redacted" }).last().waitFor();
        const event = { tenant: facts.tenant, action: "user.login", actor: { type: "user", id: "zoe", email: "zoe@acme.example" } };
        await fetch(`${facts.url}/v1/events`, { method: "POST", headers: { authorization: `Bearer ${facts.ingest_key}`, "content-type": "application/json" }, body: JSON.stringify(event) });
        await part.getByRole("button", { name: "Find a redacted value" }).click();
        const lookup = page.getByRole("dialog", { name: "Find a redacted value" });
        await lookup.getByLabel("Value").fill("zoe@acme.example");
        await lookup.getByRole("button", { name: "Give the token" }).click();
        await part.getByText(/^hmac:/).waitFor();
        await trail("redaction.set");
        await clean(page, "redaction");
        await part.scrollIntoViewIfNeeded();
        await shot(page, "redaction-light");
        await part.getByRole("link", { name: "Search for it" }).click();
        await page.getByRole("button", { name: /^Details of: hmac:/ }).waitFor();
        await page.goBack();
        await part.getByRole("button", { name: "Take the tenant’s rules away" }).click();
        await page.getByRole("dialog", { name: "Take the tenant’s rules away" }).getByRole("button", { name: "Take the tenant’s rules away" }).click();
        await part.getByRole("row", { name: /^mail / }).waitFor({ state: "detached" });
        // Schemas: how strictly they are taken, a new one, a second version.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/actions`);
        await page.getByRole("combobox", { name: /^Schemas/ }).selectOption("warn");
        await page.getByText("are taken, and counted").waitFor();
        await page.getByRole("button", { name: "New schema" }).click();
        const schema = page.getByRole("dialog", { name: "New schema" });
        await schema.getByLabel("Action").fill("invoice.paid");
        await schema.getByLabel("Schema (JSON)").fill('{"metadata": ');
        await schema.getByText("This is not JSON yet").waitFor();
        await clean(page, "schema that is no JSON");
        await schema.getByLabel("Schema (JSON)").fill('{"metadata": {"type": "object", "required": ["total"]}}');
        await schema.getByRole("button", { name: "Save the schema" }).click();
        await page.getByLabel("Find").fill("invoice.paid");
        const paid = page.getByRole("row", { name: /^invoice.paid/ });
        await paid.getByText(/^version 1/).click();
        await paid.getByRole("button", { name: "New version" }).click();
        const next = page.getByRole("dialog", { name: "New version: invoice.paid" });
        await next.getByLabel("Schema (JSON)").fill('{"metadata": {"type": "object"}}');
        await next.getByRole("button", { name: "Save the schema" }).click();
        await paid.getByText(/^version 2/).waitFor();
        await trail("action.create");
        await clean(page, "schemas");
        await shot(page, "schemas-light");
        await page.getByRole("combobox", { name: /^Schemas/ }).selectOption("off");
        await page.getByText("Schemas are not looked at").waitFor();
        // A tenant is deleted only by its name.
        await page.goto(`${facts.url}/console/tenants`);
        await page.getByRole("button", { name: "New tenant" }).click();
        await page.getByRole("dialog").getByLabel("Id", { exact: true }).fill("gone");
        await page.getByRole("button", { name: "Make the tenant" }).click();
        const gone = page.getByRole("row", { name: /^gone / });
        await gone.getByRole("button", { name: "Delete" }).click();
        const sure = page.getByRole("dialog", { name: "Delete: gone" });
        check(await sure.getByRole("button", { name: "Delete the tenant" }).isDisabled(), "the name is written first");
        await sure.getByLabel("To go on, write gone").fill("gone");
        await clean(page, "delete a tenant");
        await sure.getByRole("button", { name: "Delete the tenant" }).click();
        await gone.waitFor({ state: "detached" });
        await trail("tenant.delete");
        await clean(page, "tenants, trail");
        // A key that takes over from another.
        await page.goto(`${facts.url}/console/keys`);
        const keys = await page.getByRole("row", { name: /dev: reads/ }).count();
        await page.getByRole("row", { name: /dev: reads/ }).first().getByRole("button", { name: "Replace" }).click();
        await page.getByRole("dialog", { name: "Replace" }).getByRole("button", { name: "Replace" }).click();
        await page.getByText("This key is shown this once").waitFor();
        await page.waitForFunction((count) => [...document.querySelectorAll("tr")].filter((row) => row.innerText.includes("dev: reads")).length > count, keys);
        await trail("key.create");
        await clean(page, "key replaced");
        await page.evaluate(() => localStorage.setItem("attestary.language", "de"));
        for (const [where, text] of [["usage", "Angenommene neue Ereignisse"], ["environments", "Namensräume wie Produktion"]]) {
            await page.goto(`${facts.url}/console/${where}`);
            await page.getByText(text).waitFor();
            await page.getByRole("region", { name: "Was hier getan wurde" }).waitFor();
            await theme(page, where === "usage" ? "dark" : "light");
            await page.getByRole("region", { name: "Was hier getan wurde" }).waitFor();
            await clean(page, `${where}, German`);
            if (where === "usage") await shot(page, "usage-german-dark");
        }
    },

    /** Exports, actions, and the pages about an actor, an object, a request. */
    async pages(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/t/${facts.tenant}/exports`);
        await page.getByText("No exports yet").waitFor();
        await clean(page, "exports, none");
        await page.getByRole("button", { name: "New export" }).click();
        const form = page.getByRole("dialog", { name: "New export" });
        await form.getByLabel("Format").selectOption("csv");
        await form.getByLabel("Which events").fill("outcome:(");
        await clean(page, "new export");
        await form.getByRole("button", { name: "Make the export" }).click();
        await form.getByRole("alert").waitFor();
        await clean(page, "export refused", ["400"]);
        await form.getByLabel("Which events").fill("outcome:failure");
        await form.getByRole("button", { name: "Make the export" }).click();
        await page.locator(".export-complete").waitFor();
        await clean(page, "exports");
        const digest = await page.locator(".card code").first().innerText();
        const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
        const content = fs.readFileSync(await download.path());
        check(crypto.createHash("sha256").update(content).digest("hex") === digest, "the digest shown is that of the file");
        check(content.toString().split("\r\n").length > 10, "the file has the events");
        await page.getByRole("button", { name: "Manifest" }).click();
        await page.getByRole("dialog").getByText(digest).waitFor();
        await clean(page, "manifest");
        await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
        await shot(page, "exports-light");
        // Of a search: its filter and bounds come with it. An evidence bundle, and the trust file beside it.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?range=7d&q=actor.id:alice`);
        await ready(page);
        await page.getByRole("button", { name: "Export", exact: true }).click();
        check((await form.getByLabel("Which events").inputValue()) === "actor.id:alice" && (await form.getByLabel("From (UTC)").inputValue()) !== "", "the search came with it");
        await form.getByLabel("Format").selectOption("evidence");
        await form.getByRole("button", { name: "Make the export" }).click();
        const bundle = page.locator("li.card", { hasText: "evidence" });
        await bundle.locator(".export-complete").waitFor();
        await clean(page, "an evidence bundle");
        const [zip] = await Promise.all([page.waitForEvent("download"), bundle.getByRole("button", { name: "Download" }).click()]);
        check(fs.readFileSync(await zip.path()).subarray(0, 2).toString() === "PK", "the bundle is an archive");
        const [trust] = await Promise.all([page.waitForEvent("download"), bundle.getByRole("button", { name: "Trust file" }).click()]);
        check(fs.readFileSync(await trust.path(), "utf8").includes("\nlog "), "the trust file names the log's key");
        await bundle.getByRole("button", { name: "Delete" }).click();
        await page.getByRole("dialog", { name: "Delete" }).getByRole("button", { name: "Delete" }).click();
        await bundle.waitFor({ state: "detached" });
        await page.getByRole("button", { name: "Delete" }).click();
        await clean(page, "delete an export");
        await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
        await page.getByText("No exports yet").waitFor();
        // Actions: known ones, those with events, schemas.
        const schema = { metadata: { type: "object", properties: { plan: { enum: ["pro", "team"] } } } };
        const made = await fetch(`${facts.url}/v1/actions/user.login`, { method: "POST", headers: { authorization: `Bearer ${facts.admin_key}`, "content-type": "application/json" }, body: JSON.stringify(schema) });
        check(made.ok, `schema: ${made.status} ${await made.text()}`);
        await page.getByRole("link", { name: "Actions", exact: true }).click();
        await page.getByLabel("Find").fill("user.login");
        const signIn = page.getByRole("row", { name: /^user\.login .*signed in/ }).first();
        await signIn.waitFor();
        await signIn.getByText(/^version 1/).click();
        await page.getByText('"enum"').waitFor();
        await clean(page, "actions");
        await shot(page, "actions-light");
        await page.getByLabel("only those with events").check();
        check((await page.getByText("user.login.sso", { exact: true }).count()) === 0, "only actions that occur are left");
        await signIn.getByRole("link").click();
        await ready(page);
        check((await page.getByRole("combobox", { name: "Filter" }).inputValue()) === 'action="user.login"' || (await page.getByRole("combobox", { name: "Filter" }).inputValue()) === "action=user.login", "the count leads to its events");
        // From an event to its request, its actor, its object.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?range=all&q=action:document.updated`);
        await ready(page);
        const event = page.url();
        for (const [kind, button] of [["request", "Same request"], ["actor", "Same actor"], ["target", "Same target"]]) {
            await page.goto(event);
            await ready(page);
            await rows(page).first().click();
            await page.getByRole("tab", { name: "Related" }).click();
            await page.locator(".related li", { hasText: button }).getByRole("link", { name: "Show its page" }).click();
            await page.getByRole("heading", { name: kind === "request" ? "In order" : "Newest events" }).waitFor();
            check(new URL(page.url()).pathname.includes(`/${kind}/`), page.url());
            await clean(page, `page of the ${kind}`);
            if (kind === "request") {
                const [certificate] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Certificate (PDF)" }).click()]);
                check(fs.readFileSync(await certificate.path()).subarray(0, 5).toString() === "%PDF-", "the certificate is a PDF");
            }
            await shot(page, `${kind}-light`);
        }
        const address = page.url();
        await page.reload();
        await page.getByRole("heading", { name: "Newest events" }).waitFor();
        check(page.url() === address && (await page.getByRole("heading", { level: 1 }).innerText()).length > 2, "a reload keeps the page");
        await page.locator(".about-counts a").first().click();
        await ready(page);
        // Hostile addresses name nothing, and break nothing.
        for (const rest of ["actor/%3Cimg%20src%3Dx%3E", "request/%22%20OR%20%22", "exports/x", "nothing/here"]) {
            await page.goto(`${facts.url}/console/t/${facts.tenant}/${rest}`);
            await page.getByRole("heading", { level: 1 }).waitFor();
            await page.waitForTimeout(300);
            await clean(page, `hostile address ${rest}`);
        }
        await page.evaluate(() => localStorage.setItem("attestary.language", "de"));
        for (const [where, text] of [["exports", "Noch keine Exporte"], ["actions", "Was nach den Ereignissen geschah"]]) {
            await page.goto(`${facts.url}/console/t/${facts.tenant}/${where}`);
            await page.getByText(text).waitFor();
            await clean(page, `${where}, German`);
        }
        await theme(page, "dark");
        await page.getByText("Was nach den Ereignissen geschah").waitFor();
        await clean(page, "actions, German, dark");
    },

    /** The life of the data: a policy with its dry run, a hold, an erasure with its certificate; what is left is still proved. */
    async govern(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/t/${facts.tenant}/govern`);
        const part = (name) => page.getByRole("region", { name });
        await part("Retention").getByText("everything is kept").waitFor();
        await part("Legal holds").getByText("No holds.").waitFor();
        await part("Erasures").getByText("No erasures.").waitFor();
        await clean(page, "govern, nothing set");
        // A policy is refused with its reason, shown before it is set, and set.
        await page.getByRole("button", { name: "Change the policy" }).click();
        const policy = page.getByRole("dialog", { name: "Change the policy" });
        await policy.getByLabel("Keep for").fill("for ever");
        await policy.getByRole("button", { name: "Set the policy" }).click();
        await policy.getByRole("alert").waitFor();
        await clean(page, "policy refused", ["400"]);
        await policy.getByLabel("Keep for").fill("1y");
        await policy.getByRole("button", { name: "Add a class" }).click();
        const one = policy.getByRole("group", { name: "Class 1" });
        await one.getByLabel("Name").fill("logins");
        await one.getByLabel("Which events").fill("action:user.login");
        await one.getByLabel("Keep for").fill("90d");
        await clean(page, "policy");
        await policy.getByRole("button", { name: "Set the policy" }).click();
        await part("Retention").getByText("Events are kept for 1y.").waitFor();
        await part("Retention").getByRole("row", { name: /logins/ }).waitFor();
        await page.getByRole("button", { name: "What would go now?" }).click();
        await part("Retention").getByText("0 events would be removed.").waitFor();
        await clean(page, "retention");
        // A hold, and an erasure that it keeps waiting.
        await page.getByRole("button", { name: "Place a hold" }).first().click();
        const hold = page.getByRole("dialog", { name: "Place a hold" });
        await hold.getByLabel("Name").fill("Case 7");
        await hold.getByLabel("Which events").fill("actor.id:carla");
        await clean(page, "new hold");
        await hold.getByRole("button", { name: "Place a hold" }).click();
        await part("Legal holds").getByText("In force").waitFor();
        await page.getByRole("button", { name: "Ask for an erasure" }).click();
        const erasure = page.getByRole("dialog", { name: "Ask for an erasure" });
        await erasure.getByLabel("Legal basis").fill("GDPR Art. 17(1)(b)");
        await erasure.getByLabel("Values, filter or ids").fill("carla@acme.example");
        await clean(page, "new erasure");
        await erasure.getByRole("button", { name: "Erase", exact: true }).click();
        await part("Erasures").getByText("Waits for a hold").waitFor();
        await clean(page, "erasure waits");
        await page.getByRole("button", { name: "Release", exact: true }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Release" }).click();
        await part("Legal holds").getByText(/^Released/).waitFor();
        await part("Erasures").getByText("Done", { exact: true }).waitFor();
        await clean(page, "govern");
        await shot(page, "govern-light");
        const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Certificate" }).click()]);
        const certificate = fs.readFileSync(await download.path(), "utf8");
        check(certificate.startsWith("attestary/deletion/v1\n") && !certificate.includes("carla"), "the certificate names nobody");
        // What is left of an event is proved all the same, and the details say what is gone.
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events?range=all&q=${encodeURIComponent("-exists(actor.id) action:document.*")}`);
        await ready(page);
        // The scenario of the proofs gave the log a new key; this browser may still know the old one.
        const agree = page.getByRole("button", { name: /trust the new key/ });
        await agree.or(page.locator("[data-proof=verified]")).first().waitFor();
        if (await agree.isVisible()) await agree.click();
        await page.locator("[data-proof=verified]").first().waitFor();
        check((await page.locator("[data-proof=failed]").count()) === 0, "an erased field fails a row");
        await rows(page).first().click();
        await page.getByRole("tab", { name: "Proof" }).click();
        await page.getByText(/fields are hidden or erased; their hashes are included/).waitFor();
        await clean(page, "proof of an event with erased fields");
        await shot(page, "proof-erased-light");
        await page.goto(`${facts.url}/console/t/${facts.tenant}/govern`);
        await theme(page, "dark");
        await part("Retention").getByText("Events are kept for 1y.").waitFor();
        await part("Erasures").getByText("Done", { exact: true }).waitFor();
        await clean(page, "govern, dark");
        await shot(page, "govern-dark");
        await page.evaluate(() => localStorage.setItem("attestary.language", "de"));
        await page.goto(`${facts.url}/console/t/${facts.tenant}/govern`);
        await page.getByText("Rechtliche Sperren").waitFor();
        await clean(page, "govern, German");
    },

    async administration(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/keys`);
        await page.getByRole("button", { name: "New key" }).click();
        await page.getByLabel("Name").fill("nightly export");
        await page.getByRole("checkbox", { name: /^read/ }).check();
        await clean(page, "new key");
        await page.getByRole("button", { name: "Make the key" }).click();
        await page.getByText("This key is shown this once").waitFor();
        const secret = await page.locator(".secret pre").innerText();
        await clean(page, "key made");
        const works = async () => (await fetch(`${facts.url}/v1/events?tenant=${facts.tenant}&limit=1`, { headers: { authorization: `Bearer ${secret}` } })).status;
        check((await works()) === 200, "the key works");
        await page.getByRole("row", { name: /nightly export/ }).getByRole("button", { name: "Revoke" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
        await page.getByRole("row", { name: /nightly export/ }).waitFor({ state: "detached" });
        check((await works()) === 401, "the key is refused");
        await page.reload();
        await page.getByRole("heading", { name: "API keys" }).waitFor();
        await page.locator("table").first().waitFor();
        check(!(await page.content()).includes(secret), "the secret is shown once");
        await shot(page, "keys-light");
        await page.goto(`${facts.url}/console/tenants`);
        await page.getByRole("link", { name: "fresh" }).waitFor();
        await clean(page, "tenants");
        await theme(page, "dark");
        await page.getByRole("link", { name: "fresh" }).waitFor();
        await clean(page, "tenants, dark");
        await shot(page, "tenants-dark");
        // The page in the second language is the same page.
        await page.evaluate(() => localStorage.setItem("attestary.language", "de"));
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events`);
        await ready(page);
        await page.getByRole("link", { name: "Ereignisse", exact: true }).waitFor();
        await clean(page, "search, German");
        await shot(page, "search-german-dark");
        // A narrow window keeps the rows.
        await page.setViewportSize({ width: 420, height: 800 });
        await clean(page, "search, narrow");
        // Signed out, the cookie is worth nothing, and the address is kept.
        await page.setViewportSize({ width: 1440, height: 900 });
        await page.evaluate(() => localStorage.setItem("attestary.language", "en"));
        await page.reload();
        await ready(page);
        await page.locator(".user > summary").click();
        await clean(page, "menu of the person");
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.getByText("You are signed out").waitFor();
        check(page.url().includes(`/t/${facts.tenant}/events`), "the address is kept");
        await page.reload();
        await page.getByText("Open the sign-in link").waitFor();
        await clean(page, "signed out", ["401"]);
    },

    /** The embedded viewer in pages of another origin: plain, React and Vue; restricted, and across the end of a token. */
    async embed(browser) {
        const app = await pages();
        const origin = `http://localhost:${app.port}`;
        for (const name of ["plain", "early", "react", "vue"]) {
            const page = await open(browser);
            // What the server sends, not only what is shown.
            const bodies = [];
            page.on("requestfinished", (request) => new URL(request.url()).pathname.startsWith("/v1/") && bodies.push(request.response().then((response) => response.text()).catch(() => "")));
            await page.goto(`${origin}/${name}`);
            await page.locator("audit-log-viewer").getByRole("button", { name: /Merger plan/ }).first().waitFor();
            // What is hidden does not break the check: its hashes take part.
            await page.locator("audit-log-viewer [data-proof=verified]").first().waitFor();
            check((await page.locator("audit-log-viewer [data-proof=failed]").count()) === 0, `${name}: a row fails its check`);
            const text = await page.locator("audit-log-viewer").innerText();
            check(!text.includes("Payroll") && !text.includes("192.0.2."), `${name}: a restricted view shows more than it may`);
            await clean(page, `embedded, ${name}`);
            if (name === "plain") {
                await shot(page, "embedded-light");
                // The token ends; the page is asked for another one, and the reader sees nothing of it.
                const given = app.tokens;
                await page.evaluate(() => (document.querySelector("audit-log-viewer").token = "atse1ended"));
                const filter = page.getByRole("combobox", { name: "Filter" });
                await filter.fill("action:document.*");
                await filter.press("Enter");
                await page.locator("audit-log-viewer").getByRole("button", { name: /Merger plan/ }).first().waitFor();
                await page.waitForFunction(() => window.expired > 0);
                check(app.tokens > given, "the page was asked for a token");
                check((await page.evaluate(() => window.filter)) === "action:document.*", "the page is told of the filter");
            }
            check((await page.context().cookies()).length === 0, "no cookie is set");
            const sent = (await Promise.all(bodies)).join("\n");
            check(sent.includes("Merger plan") && !/Payroll|192\.0\.2\.|9007199254740993/.test(sent), `${name}: the server sent more than the session may see`);
            await page.context().close();
        }
        const page = await open(browser);
        await page.goto(`${origin}/frame`);
        await page.frameLocator("iframe").getByRole("button", { name: /Merger plan/ }).first().waitFor();
        check((await page.frameLocator("iframe").locator("main").innerText()).includes("Merger plan"), "the frame shows the log");
        await page.context().close();
        // A page of another origin may not frame it: the same frame from 127.0.0.1 stays empty.
        const foreign = await open(browser);
        await foreign.goto(`http://127.0.0.1:${app.port}/frame`);
        await foreign.waitForTimeout(1500);
        check((await foreign.frameLocator("iframe").locator("#app").count()) === 0, "a foreign page cannot frame the portal");
        app.server.close();
    },
};

/** React comes as CommonJS; this makes one module of its parts. */
function react() {
    const parts = { react: "react/cjs/react.production.js", scheduler: "scheduler/cjs/scheduler.production.js", "react-dom": "react-dom/cjs/react-dom.production.js", "react-dom/client": "react-dom/cjs/react-dom-client.production.js" };
    const root = path.dirname(require.resolve("react/package.json"));
    const made = Object.entries(parts).map(([name, file]) => `${JSON.stringify(name)}: (module, exports, require) => {${fs.readFileSync(path.join(root, "..", file), "utf8")}}`);
    return `const made = {${made.join(",")}}; const known = {};
        const require = (name) => { if (!known[name]) { known[name] = { exports: {} }; made[name](known[name], known[name].exports, require); } return known[name].exports; };
        export const React = require("react"); export const { createRoot } = require("react-dom/client");`;
}

/** An application of a customer: it mints portal sessions for its own pages. */
function pages() {
    const element = `<audit-log-viewer src="${facts.url}" range="24h"></audit-log-viewer>`;
    const provide = "async () => { window.asked = (window.asked || 0) + 1; return (await fetch('/token')).text(); }";
    const script = {
        plain: `const viewer = document.querySelector("audit-log-viewer"); viewer.tokenProvider = ${provide};
            viewer.addEventListener("token-expired", () => (window.expired = (window.expired || 0) + 1));
            viewer.addEventListener("filter-change", (event) => (window.filter = event.detail.filter));`,
        // The provider is there before the element is defined.
        early: `document.querySelector("audit-log-viewer").tokenProvider = ${provide}; await import("${facts.url}/console/embed.js");`,
        react: `import { React, createRoot } from "/module/react";
            createRoot(document.getElementById("root")).render(React.createElement("audit-log-viewer", { src: "${facts.url}", tokenProvider: ${provide} }));`,
        vue: `import { createApp, h } from "/module/vue";
            createApp({ render: () => h("audit-log-viewer", { src: "${facts.url}", ".tokenProvider": ${provide} }) }).mount("#root");`,
    };
    const state = { tokens: 0 };
    const mint = async (origin) => {
        const body = { actor: { id: "u1", name: "Una" }, origin, restrict: "target.id:doc_7", hide_fields: ["context.ip", "metadata"], ttl_s: 300 };
        const reply = await fetch(`${facts.url}/v1/tenants/${facts.tenant}/portal-sessions`, { method: "POST", headers: { authorization: `Bearer ${facts.admin_key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
        check(reply.status === 201, `portal session: ${reply.status} ${await reply.clone().text()}`);
        return reply.json();
    };
    state.server = http.createServer(async (request, response) => {
        const origin = `http://localhost:${state.port}`;
        const answer = (type, text) => (response.writeHead(200, { "content-type": type }), response.end(text));
        if (request.url === "/token") {
            state.tokens += 1;
            return answer("text/plain", (await mint(origin)).token);
        }
        if (request.url.startsWith("/module/")) return answer("text/javascript", request.url.endsWith("react") ? react() : fs.readFileSync(require.resolve("vue/dist/vue.esm-browser.prod.js")));
        const name = request.url.slice(1);
        const head = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Customer</title><link rel="icon" href="data:,"></head>`;
        if (name === "frame") {
            const { url } = await mint(origin);
            return answer("text/html", `${head}<body><h1>Audit log</h1><iframe title="Audit log" width="1200" height="640" src="${facts.url}${url}"></iframe></body></html>`);
        }
        if (!(name in script)) return (response.writeHead(404), response.end());
        const body = ["plain", "early"].includes(name) ? element : '<div id="root"></div>';
        const embed = name === "early" ? "" : `<script type="module" src="${facts.url}/console/embed.js"></script>`;
        return answer("text/html", `${head}<body><main><h1>Audit log</h1>${body}</main>${embed}<script type="module">${script[name]}</script></body></html>`);
    });
    return new Promise((resolve) => state.server.listen(0, () => ((state.port = state.server.address().port), resolve(state))));
}

(async () => {
    const browser = await chromium.launch({
        executablePath: facts.chromium,
        args: [...(process.getuid() === 0 ? ["--no-sandbox"] : []), "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    try {
        for (const name of wanted) {
            const began = Date.now();
            try {
                await scenarios[name](browser);
            } catch (error) {
                const pages = browser.contexts().flatMap((context) => context.pages());
                for (const [at, page] of pages.entries()) await page.screenshot({ path: path.join(outDir, `failed-${name}-${at}.png`) }).catch(() => undefined);
                throw new Error(`${name}: ${error.stack}`);
            }
            for (const context of browser.contexts()) await context.close();
            process.stderr.write(`${name}: ${Date.now() - began} ms\n`);
        }
    } finally {
        await browser.close();
    }
    process.stdout.write(`${JSON.stringify(found)}\n`);
})().catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
});
