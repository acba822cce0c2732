// What every scenario of the console uses: pages, axe, screenshots, and what was found.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const [, , factsPath, outDir] = process.argv;
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

/** A page as it stands, in both themes: checked, and kept as a picture. */
async function both(page, name, allowed = []) {
    for (const colorScheme of ["dark", "light"]) {
        await page.emulateMedia({ colorScheme });
        await clean(page, `${name}, ${colorScheme}`, allowed);
        await shot(page, `${name}-${colorScheme}`);
    }
}

async function theme(page, name) {
    await page.evaluate((value) => localStorage.setItem("attestary.theme", value), name);
    await page.reload();
}

module.exports = { axe, both, check, clean, facts, found, open, outDir, ready, rows, shot, theme };
