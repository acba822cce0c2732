// A person at the console, driven in Debian's Chromium: signs in by the printed link, searches, connects, embeds.
// Every page and state is checked by axe, and nothing may be written to the browser's error log.
//
// usage: node console.cjs FACTS.json OUT_DIR SCENARIO…
// FACTS: url, console_url, ingest_key, admin_key, tenant, and what a scenario needs. OUT_DIR takes screenshots.
"use strict";

const path = require("node:path");
const { chromium } = require("playwright-core");
const { facts, found, outDir } = require("./console/driver.cjs");

const wanted = process.argv.slice(4);
const scenarios = Object.assign({}, ...["connect", "embed", "pages", "proofs", "questions", "search", "settings", "speed", "tour"].map((name) => require(`./console/${name}.cjs`)));

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
