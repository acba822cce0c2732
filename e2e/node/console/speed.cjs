// Figures: scrolling, first rows, other filters.
"use strict";

const path = require("node:path");

const { check, clean, facts, found, open, outDir, ready, rows } = require("./driver.cjs");

module.exports = {
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
};
