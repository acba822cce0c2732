// Searching: the first event, filters, details, live events, hostile text, keys.
"use strict";

const path = require("node:path");

const { both, check, clean, facts, found, open, outDir, ready, rows, shot, theme } = require("./driver.cjs");

module.exports = {
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
        const reply = await fetch(`${facts.url}/v1/events`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body });
        check(reply.status === 201, `the shown call answers ${reply.status}`);
        await page.getByRole("button", { name: /Alice signed in/ }).waitFor();
        found.notes.push(`zero to first event seen: ${((Date.now() - began) / 1000).toFixed(1)} s`);
        await clean(page, "first event");
        // The link worked once.
        const other = await open(browser);
        await other.goto(facts.console_url);
        await other.getByText("This link was used already").waitFor();
        await both(other, "sign-in", ["401"]);
        await page.context().storageState({ path: path.join(outDir, "state.json") });
    },

    async search(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events`);
        await ready(page);
        await clean(page, "search");
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
        await rows(page).nth(2).click();
        await clean(page, "details, dark");
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

    /** The server refuses, is busy, is away, has forgotten who asks: each is said with what to do, and the place stays. */
    async troubles(browser) {
        const page = await open(browser, { storageState: path.join(outDir, "state.json") });
        const at = `${facts.url}/console/t/${facts.tenant}/events?q=outcome%3Afailure&range=7d`;
        await page.goto(at);
        await ready(page);
        const text = page.getByRole("combobox", { name: "Filter" });
        const problem = (status, type, detail) => JSON.stringify({ type: `/problems/${type}`, title: type, status, detail, request_id: "req_trouble" });
        for (const [status, said] of [[500, "Report it with the request id"], [503, "Try again in a few seconds"], [429, "Try again in a few seconds"], [403, "needs a right that you do not have"], [0, "cannot be reached. Check the connection"]]) {
            const answer = (route) => (status === 0 ? route.abort() : route.fulfill({ status, contentType: "application/problem+json", body: problem(status, "trouble", "made by the test") }));
            await page.route(/\/v1\/events\?/, answer);
            await text.press("Enter");
            const alert = page.getByRole("alert");
            await alert.getByText(said).waitFor();
            if (status > 0) await alert.getByText("req_trouble").waitFor();
            check((await text.inputValue()) === "outcome:failure" && page.url() === at, `${status}: the search stays`);
            if (status === 500) await both(page, "server-error", ["500"]);
            else await clean(page, `trouble ${status}`, [String(status), "ERR_FAILED"]);
            await page.unroute(/\/v1\/events\?/);
            await alert.getByRole("button", { name: "Try again" }).click();
            await ready(page);
        }
        // The session ends: what was being done stays, and goes on after signing in elsewhere.
        const cookies = await page.context().cookies();
        await rows(page).first().click();
        await page.context().clearCookies();
        await text.fill("outcome:denied");
        await text.press("Enter");
        await page.locator(".banner").getByText("Your session has ended").waitFor();
        check((await text.inputValue()) === "outcome:denied" && page.url().includes("outcome%3Adenied"), "the place is kept");
        check((await page.getByRole("alert").count()) === 1 && (await rows(page).count()) > 0, "it is said once, and the rows of before stay");
        await both(page, "session-ended", ["401"]);
        await page.context().addCookies(cookies);
        await page.locator(".banner").getByRole("button", { name: "Try again" }).click();
        await page.locator(".banner").waitFor({ state: "detached" });
        await page.locator(".outcome-denied.outcome").first().waitFor();
        check((await page.locator(".outcome-failure.outcome").count()) === 0, "the search goes on by itself");
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

    /** Keys of the search page; the whole tour without a mouse is in tour.cjs. */
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
        await page.keyboard.press("Escape");
        // At once: the focus may still be on the closed dialog's checkbox.
        await page.keyboard.press("g");
        await page.keyboard.press("d");
        await page.getByRole("heading", { name: "Destinations" }).waitFor();
        await page.keyboard.press("g");
        await page.keyboard.press("e");
        await ready(page);
        await page.keyboard.press("t");
        await page.keyboard.press("End");
        await page.getByLabel("From", { exact: true }).waitFor();
        await clean(page, "custom range");
    },
};
