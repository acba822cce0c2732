// The whole tour by keyboard alone: each page is gone to and its main action done without a mouse. Every page is checked by
// axe and kept as a picture in light and in dark.
"use strict";

const { execFileSync } = require("node:child_process");
const path = require("node:path");

const { both, check, clean, facts, found, open, outDir, ready, rows, shot } = require("./driver.cjs");
const keysOf = require("./keys.cjs");

/** A mouse that is used fails the tour. */
function withoutMouse(page) {
    return page.addInitScript(() => {
        window.pointed = 0;
        for (const type of ["mousedown", "touchstart"]) addEventListener(type, () => (window.pointed += 1), true);
    });
}

module.exports = {
    async tour(browser) {
        const began = Date.now();
        const page = await open(browser, { storageState: path.join(outDir, "state.json"), permissions: ["clipboard-read", "clipboard-write"] });
        await withoutMouse(page);
        await page.goto(`${facts.url}/console/t/${facts.tenant}/events`);
        const tour = { page, ...keysOf(page), tenant: facts.tenant };
        let pages = 0;
        for (const part of [searching, columnsAndZones, copies, abouts, views, alerts, destinations, exports_, data, actions, portals, tenants, apiKeys, usage, blueprints, environments, forms]) {
            if (process.env.TRACE) process.stderr.write(`  ${part.name} ${Date.now() - began} ms\n`);
            await part(tour);
            pages += 1;
        }
        check((await page.evaluate(() => window.pointed)) === 0, "no mouse was used");
        found.notes.push(`tour by keyboard: ${pages} parts, ${((Date.now() - began) / 1000).toFixed(0)} s`);
    },
};

const dialog = ({ page }, name) => page.getByRole("dialog", { name });
const trail = ({ page }, operation) => page.getByRole("region", { name: "What was done here" }).getByText(operation).first().waitFor();
const nav = ({ page, press }, name) => press(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true }));
/** A button that asks again before it acts. */
async function sure(tour, button, name) {
    await tour.press(button);
    await tour.press(dialog(tour, name).getByRole("button", { name }));
}

async function searching(tour) {
    const { page } = tour;
    await ready(page);
    await page.locator("[data-proof=verified]").first().waitFor();
    await both(page, "search");
    // A value narrows down, its chip turns it round and takes it away.
    await tour.press(page.getByRole("button", { name: /^Only outcome = failure/ }));
    await page.waitForURL(/q=outcome/);
    await ready(page);
    await tour.press(page.getByRole("button", { name: "Turn outcome=failure into its opposite" }));
    await page.waitForURL(/q=-outcome/);
    await ready(page);
    await tour.press(page.getByRole("button", { name: "Remove -outcome=failure" }));
    await page.waitForURL((url) => !url.searchParams.has("q"));
    await ready(page);
    await page.keyboard.press("/");
    await page.keyboard.type("action:document.updated");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=action/);
    await ready(page);
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await tour.to(page.getByRole("tab", { name: "Fields" }));
    await both(page, "details");
    for (const [tab, text] of [["Changes", /draft/], ["JSON", /"?actor"?: /], ["Raw", /byte for byte/], ["Related", /Same request/]]) {
        await page.keyboard.press("ArrowRight");
        await page.getByRole("tab", { name: tab, selected: true }).waitFor();
        await page.getByRole("tabpanel").getByText(text).first().waitFor();
        await clean(page, `details, ${tab}, by keys`);
    }
    // Objects in the tree open and close.
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    const actor = page.locator(".tree summary", { hasText: "actor" });
    await tour.press(actor, "Enter");
    check((await page.locator(".tree details[open] > summary", { hasText: /^actor/ }).count()) === 0, "Enter closes a part of the tree");
}

async function columnsAndZones(tour) {
    const { page } = tour;
    const head = () => page.getByRole("columnheader").allInnerTexts();
    const before = await head();
    await tour.press(page.locator("summary", { hasText: "Columns" }));
    await tour.press(page.getByRole("button", { name: "Move Action towards the start" }));
    await page.waitForTimeout(50);
    check((await page.evaluate(() => document.activeElement.getAttribute("aria-label"))) === "Move Action towards the start", "the focus moves with the column");
    check((await head()).indexOf("Action") === before.indexOf("Action") - 1, `the order changed: ${await head()}`);
    await tour.tick(page.getByRole("checkbox", { name: "Target", exact: true }));
    check((await head()).at(-1) === "Target", "a new column stands last");
    await tour.tick(page.getByRole("checkbox", { name: "Low rows" }));
    check((await page.locator(".dense .slot.fixed").first().evaluate((one) => one.offsetHeight)) === 26, "the rows are low");
    await tour.tick(page.getByRole("checkbox", { name: /All loaded rows/ }));
    await both(page, "columns");
    await page.keyboard.press("Escape");
    check((await page.locator("details.menu[open]").count()) === 0 && (await page.evaluate(() => document.activeElement.innerText)) === "Columns", "Escape closes the menu and no more");
    await page.getByRole("tab", { name: "JSON" }).waitFor();
    await page.reload();
    await ready(page);
    check((await head()).at(-1) === "Target", "the columns are kept");
    await page.waitForFunction(() => document.querySelectorAll(".row-toggle").length >= 20);
    await tour.press(page.locator("summary", { hasText: "Columns" }));
    await tour.press(page.getByRole("checkbox", { name: /All loaded rows/ }), "Space");
    await tour.press(page.getByRole("checkbox", { name: "Low rows" }), "Space");
    await tour.press(page.getByRole("button", { name: "As at first" }));
    check((await head()).join() === before.join(), `as before: ${await head()}`);
    // Another time zone, by its name.
    const zone = page.getByLabel("Time zone");
    await tour.pick(zone, "Another");
    await tour.write(page.getByLabel("Name, such as Asia/Tokyo"), "Mars/Olympus");
    await page.keyboard.press("Enter");
    await page.getByText("There is no time zone of this name").waitFor();
    await both(page, "zone");
    await tour.write(page.getByLabel("Name, such as Asia/Tokyo"), "Asia/Tokyo");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    check((await head())[0].includes("GMT+9") && (await zone.inputValue()) === "Asia/Tokyo", `times of Tokyo: ${(await head())[0]}`);
    await tour.to(page.getByLabel("Time range"));
    await page.keyboard.press("End");
    const from = await page.getByLabel("From", { exact: true }).inputValue();
    const asked = new URL(page.url());
    check(!asked.searchParams.has("from") && from.length >= 16, "the range opens with the times of the zone");
    await tour.press(page.getByRole("button", { name: "Apply" }));
    await page.waitForURL(/from=/);
    check(Date.parse(new URL(page.url()).searchParams.get("from")) === Date.parse(`${from}${from.length === 16 ? ":00" : ""}+09:00`), `the time meant is that of Tokyo: ${page.url()} from ${from}`);
    await tour.pick(zone, "My");
    await tour.pick(page.getByLabel("Time range"), "Last 24");
    await page.waitForURL(/range=24h/);
    await ready(page);
}

/** What is copied is what another machine can use. */
async function copies(tour) {
    const { page } = tour;
    await tour.press(rows(page));
    const copied = async (name) => {
        await page.evaluate(() => navigator.clipboard.writeText(""));
        await tour.press(page.getByRole("button", { name, exact: true }));
        for (let tries = 0; tries < 100; tries++) {
            const text = await page.evaluate(() => navigator.clipboard.readText());
            if (text) return text;
            await page.waitForTimeout(50);
        }
        throw new Error(`${name} copies nothing`);
    };
    const id = JSON.parse((await copied("Copy JSON")).replaceAll("9007199254740993", "0")).id;
    const cef = await copied("Copy as CEF");
    check(cef.startsWith("CEF:0|") && cef.includes(id), `a CEF record: ${cef.slice(0, 200)}`);
    const run = (command) => execFileSync("bash", ["-c", command], { cwd: outDir, env: { ...process.env, PATH: `${path.dirname(facts.attestary)}:${process.env.PATH}`, ATTESTARY_KEY: facts.read_key, XDG_STATE_HOME: outDir }, encoding: "utf8" });
    check(JSON.parse(run(await copied("Copy as cURL")).replaceAll("9007199254740993", "0")).id === id, "the call answers the event");
    run(`curl -fsS '${facts.url}/v1/tenants/${facts.tenant}/trust' -H "authorization: Bearer $ATTESTARY_KEY" -o log.trust`);
    const report = run(await copied("Copy verify command"));
    check(/tree|proof|holds|ok/i.test(report), `the proof is checked: ${report}`);
    await page.goto(await copied("Copy link"));
    await page.getByRole("tab", { name: "Fields" }).waitFor();
    check(page.url().includes(`/e/${id}`), "the link is that of the event");
    await both(page, "event");
}

async function abouts(tour) {
    const { page } = tour;
    for (const [kind, heading] of [["request", "In order"], ["session", "In order"], ["actor", "Newest events"], ["target", "Newest events"]]) {
        await tour.press(page.getByRole("tab", { name: "Fields" }), "ArrowLeft");
        await page.keyboard.press("ArrowLeft");
        await tour.press(page.locator(".related li", { hasText: `Same ${kind}` }).getByRole("link"));
        await page.getByRole("heading", { name: heading }).waitFor();
        await both(page, kind);
        await page.goBack();
        await page.getByRole("tab", { name: "Fields" }).waitFor();
    }
}

async function views(tour) {
    const { page } = tour;
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await ready(page);
    await tour.press(page.getByRole("button", { name: "Save as a view" }));
    await tour.write(dialog(tour, "Save this search as a view").getByLabel("The question in words"), "By keys");
    await page.keyboard.press("Enter");
    await dialog(tour, "Save this search as a view").waitFor({ state: "hidden" });
    await nav(tour, "Views");
    await page.getByRole("link", { name: "By keys" }).waitFor();
    await both(page, "views");
    await tour.press(page.getByRole("link", { name: "By keys" }));
    await page.getByRole("heading", { name: "By keys" }).waitFor();
    await page.getByRole("heading", { name: "Newest events" }).waitFor();
    await both(page, "view");
    await sure(tour, page.getByRole("button", { name: "Delete" }), "Delete");
    await trail(tour, "view.delete");
}

async function alerts(tour) {
    const { page } = tour;
    await nav(tour, "Alerts");
    await tour.press(page.getByRole("button", { name: "New alert" }));
    const form = dialog(tour, "New alert");
    await tour.write(form.getByLabel("Name"), "By keys");
    await tour.write(form.getByLabel("Which events"), "outcome:denied");
    await form.getByText(/events of the last 7 days match/).waitFor();
    await page.keyboard.press("Enter");
    const one = page.locator("li.card", { hasText: "By keys" });
    await one.waitFor();
    await both(page, "alerts");
    await sure(tour, one.getByRole("button", { name: "Delete" }), "Delete");
    await one.waitFor({ state: "detached" });
}

/** Types, settings, filter, format, test: the same steps for a destination and a blueprint. */
async function wizard(tour, name, create) {
    const { page } = tour;
    await tour.to(page.getByRole("radio", { name: /Webhook/ }));
    await page.keyboard.press("ArrowDown");
    check(await page.getByRole("radio", { name: /E-mail/ }).isChecked(), "arrows choose the type");
    await page.keyboard.press("ArrowUp");
    await tour.press(page.getByRole("button", { name: "Next" }));
    await tour.write(page.getByLabel("Name", { exact: true }), name);
    await tour.write(page.getByLabel("Address (URL)"), facts.webhook);
    await page.keyboard.press("Enter");
    await tour.write(page.getByRole("textbox", { name: "Which events" }), "outcome:denied");
    await page.getByText(/\d+ of [\d,]+ events of the last 7 days match/).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("group", { name: "What will be sent" }).getByText('"outcome":"denied"').first().waitFor();
    await both(page, create === "Create and test" ? "wizard" : "blueprint-wizard");
    await tour.press(page.getByRole("button", { name: "Next" }));
    await tour.press(page.getByRole("button", { name: create }));
    await page.getByText("The test arrived").waitFor();
}

async function destinations(tour) {
    const { page } = tour;
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await tour.press(page.getByRole("link", { name: "New destination" }));
    await wizard(tour, "By keys", "Create and test");
    await tour.press(page.getByRole("link", { name: "Go to the destination" }));
    await tour.press(page.getByRole("button", { name: "Pause" }));
    await page.locator(".state-paused").waitFor();
    await tour.press(page.getByRole("button", { name: "Resume" }));
    await page.locator(".state-active").waitFor();
    await page.getByText("Up to date").waitFor();
    await both(page, "destination");
    await tour.press(page.getByRole("link", { name: /All destinations/ }));
    await page.getByRole("link", { name: "By keys" }).waitFor();
    await both(page, "destinations");
    await tour.press(page.getByRole("link", { name: "By keys" }));
    await sure(tour, page.getByRole("button", { name: "Delete" }), "Delete");
    await trail(tour, "destination.delete");
}

async function exports_(tour) {
    const { page } = tour;
    await nav(tour, "Exports");
    await tour.press(page.getByRole("button", { name: "New export" }));
    const form = dialog(tour, "New export");
    await tour.pick(form.getByLabel("Format"), "csv");
    await tour.write(form.getByLabel("Which events"), "outcome:denied");
    await page.keyboard.press("Enter");
    const one = page.locator("li.card", { hasText: "csv" }).first();
    await one.locator(".export-complete").waitFor();
    await both(page, "exports");
    const [file] = await Promise.all([page.waitForEvent("download"), tour.press(one.getByRole("button", { name: "Download" }))]);
    check((await file.suggestedFilename()).length > 0, "the file is saved");
    await sure(tour, one.getByRole("button", { name: "Delete" }), "Delete");
}

async function data(tour) {
    const { page } = tour;
    await nav(tour, "Data");
    const part = (name) => page.getByRole("region", { name });
    await tour.press(page.getByRole("button", { name: "Change the policy" }));
    await tour.write(dialog(tour, "Change the policy").getByLabel("Keep for").first(), "2y");
    await tour.press(dialog(tour, "Change the policy").getByRole("button", { name: "Set the policy" }));
    await part("Retention").getByText("Events are kept for 2y.").waitFor();
    await tour.press(page.getByRole("button", { name: "What would go now?" }));
    await part("Retention").getByText(/would be removed/).waitFor();
    await tour.press(page.getByRole("button", { name: "Place a hold" }));
    await tour.write(dialog(tour, "Place a hold").getByLabel("Name"), "By keys");
    await tour.write(dialog(tour, "Place a hold").getByLabel("Which events"), "actor.id:nobody");
    await page.keyboard.press("Enter");
    await part("Legal holds").getByRole("cell", { name: "In force" }).waitFor();
    await both(page, "govern");
    await sure(tour, page.getByRole("button", { name: "Release", exact: true }), "Release");
    await part("Legal holds").getByRole("cell", { name: "In force" }).waitFor({ state: "detached" });
    await tour.press(page.getByRole("button", { name: "Ask for an erasure" }));
    const erasure = dialog(tour, "Ask for an erasure");
    await tour.write(erasure.getByLabel("Legal basis"), "GDPR Art. 17");
    await tour.write(erasure.getByLabel("Values, filter or ids"), "nobody@acme.example");
    await both(page, "erasure");
    await tour.press(erasure.getByRole("button", { name: "Cancel" }));
    await tour.press(page.getByRole("button", { name: "Change the rules" }));
    await tour.press(dialog(tour, "Change the rules").getByRole("button", { name: "Add a rule" }));
    await both(page, "redaction");
    await tour.press(dialog(tour, "Change the rules").getByRole("button", { name: "Cancel" }));
}

async function actions(tour) {
    const { page } = tour;
    await nav(tour, "Actions");
    await tour.write(page.getByLabel("Find"), "document");
    await page.getByRole("row", { name: /^document\.updated/ }).first().waitFor();
    await both(page, "actions");
    await tour.press(page.getByRole("button", { name: "New schema" }));
    const form = dialog(tour, "New schema");
    await tour.write(form.getByLabel("Action"), "by.keys");
    await tour.write(form.getByLabel("Schema (JSON)"), '{"metadata": {"type": "object"}}');
    await both(page, "schema");
    await tour.press(form.getByRole("button", { name: "Save the schema" }));
    await trail(tour, "action.create");
}

/** Somebody is let in, looks, and is thrown out. */
async function portals(tour) {
    const { page } = tour;
    await nav(tour, "Portal");
    await page.getByRole("heading", { name: "Portal sessions" }).waitFor();
    await tour.press(page.getByRole("button", { name: "Let somebody in" }));
    const form = dialog(tour, "Let somebody in");
    await tour.write(form.getByLabel("Id of the person"), "una");
    await tour.write(form.getByLabel("Name"), "Una");
    await tour.write(form.getByLabel("Pages that show it (origin)"), "not an origin");
    await page.keyboard.press("Enter");
    await form.getByRole("alert").waitFor();
    await clean(page, "portal session refused", ["400"]);
    await tour.write(form.getByLabel("Pages that show it (origin)"), facts.url);
    await tour.write(form.getByLabel("Only events that match"), "target.id:doc_7");
    await form.getByText(/events of the last 7 days match/).waitFor();
    await tour.write(form.getByLabel("Fields that are not shown"), "context.ip");
    await both(page, "portal-session");
    await page.keyboard.press("Enter");
    await page.getByText("The link works once").waitFor();
    await both(page, "portals");
    const [portal] = await Promise.all([page.context().waitForEvent("page"), tour.press(page.getByRole("link", { name: "Open the portal" }))]);
    await ready(portal);
    check(!(await portal.locator("main").innerText()).includes("192.0.2."), "what is hidden is not shown");
    portal.errors = [];
    await portal.evaluate(() => (window.violations ??= []));
    await both(portal, "portal");
    // Thrown out, the next question is refused, and the page says what to do.
    await page.bringToFront();
    await tour.press(page.getByRole("button", { name: "Look again" }));
    const row = page.getByRole("row", { name: /^Una una/ });
    await sure(tour, row.getByRole("button", { name: "End it" }), "End it");
    await row.waitFor({ state: "detached" });
    await trail(tour, "portal.revoke");
    await portal.bringToFront();
    await portal.keyboard.press("/");
    await portal.keyboard.type("action:document.*");
    await portal.keyboard.press("Enter");
    await portal.getByRole("alert").waitFor();
    await portal.close();
}

async function tenants(tour) {
    const { page } = tour;
    await nav(tour, "Tenants");
    await tour.press(page.getByRole("button", { name: "New tenant" }));
    await tour.write(dialog(tour, "New tenant").getByLabel("Id", { exact: true }), "by-keys");
    await page.keyboard.press("Enter");
    const row = page.getByRole("row", { name: /^by-keys/ });
    await row.waitFor();
    await both(page, "tenants");
    await sure(tour, row.getByRole("button", { name: "Close", exact: true }), "Close");
    await row.getByText("Closed").waitFor();
    // The page of a tenant without events teaches.
    await tour.press(page.getByRole("link", { name: "by-keys" }));
    await page.getByRole("heading", { name: "Waiting for the first event" }).waitFor();
    await both(page, "first-event");
    await tour.pick(page.locator(".tenant-pick select"), facts.tenant);
    await page.waitForURL(new RegExp(`/t/${facts.tenant}/`));
}

async function apiKeys(tour) {
    const { page } = tour;
    await nav(tour, "API keys");
    await tour.press(page.getByRole("button", { name: "New key" }));
    await tour.write(dialog(tour, "New key").getByLabel("Name"), "by keys");
    await tour.tick(dialog(tour, "New key").getByRole("checkbox", { name: /^read/ }));
    await page.keyboard.press("Enter");
    await page.getByText("This key is shown this once").waitFor();
    const row = page.getByRole("row", { name: /^by keys/ });
    await sure(tour, row.getByRole("button", { name: "Revoke" }), "Revoke");
    await row.waitFor({ state: "detached" });
    await page.reload();
    await trail(tour, "key.revoke");
    await both(page, "keys");
}

async function usage(tour) {
    const { page } = tour;
    await nav(tour, "Usage");
    const row = page.getByRole("row", { name: new RegExp(`^${facts.tenant} `) });
    await row.waitFor();
    await tour.pick(page.getByRole("combobox", { name: /^By/ }), "Day");
    await page.getByRole("columnheader", { name: "Day" }).waitFor();
    await tour.pick(page.getByRole("combobox", { name: /^By/ }), "Tenant");
    await tour.press(row.getByRole("button", { name: /quota/i }));
    await tour.write(page.getByRole("dialog").getByLabel("Events a month"), "6000000");
    await page.keyboard.press("Enter");
    await row.getByText(/of 6,000,000/).waitFor();
    await both(page, "usage");
}

async function blueprints(tour) {
    const { page } = tour;
    await nav(tour, "Blueprints");
    await page.getByRole("heading", { name: "No blueprint yet" }).waitFor();
    await clean(page, "blueprints, none");
    await tour.press(page.getByRole("link", { name: "New blueprint" }));
    await wizard(tour, "Lake of all", "Create, and test one tenant’s");
    await clean(page, "blueprint made");
    await tour.press(page.getByRole("link", { name: /All blueprints/ }));
    const one = page.locator("li.card", { hasText: "Lake of all" });
    await one.waitFor();
    await trail(tour, "blueprint.create");
    await both(page, "blueprints");
    await sure(tour, one.getByRole("button", { name: "Delete" }), "Delete");
    await page.getByRole("heading", { name: "No blueprint yet" }).waitFor();
    await trail(tour, "blueprint.delete");
}

async function environments(tour) {
    const { page } = tour;
    await nav(tour, "Environments");
    await tour.press(page.getByRole("button", { name: "New environment" }));
    await tour.write(dialog(tour, "New environment").getByLabel("Name"), "by-keys");
    await page.keyboard.press("Enter");
    const row = page.getByRole("row", { name: /^by-keys/ });
    await tour.press(row.getByRole("button", { name: "Change" }));
    await tour.tick(dialog(tour, "Change: by-keys").getByRole("checkbox", { name: /^Closed/ }));
    await tour.press(dialog(tour, "Change: by-keys").getByRole("button", { name: "Save" }));
    await row.getByText("are refused").waitFor();
    await both(page, "environments");
}

/** Other forms of the same page: right to left, forced colours, less motion, paper. */
async function forms(tour) {
    const { page } = tour;
    await page.keyboard.press("?");
    await both(page, "help");
    await page.keyboard.press("Escape");
    // Theme and language, in the menu of the person.
    await tour.press(page.locator(".user > summary"));
    await tour.pick(page.getByLabel("Theme"), "Dark");
    check((await page.evaluate(() => document.documentElement.dataset.theme)) === "dark", "the theme is chosen");
    await tour.pick(page.getByLabel("Language"), "Deutsch");
    await page.getByRole("link", { name: "Umgebungen" }).waitFor();
    await clean(page, "menu of the person, German, dark");
    await tour.pick(page.getByLabel("Sprache"), "English");
    await page.getByRole("link", { name: "Environments" }).waitFor();
    await tour.pick(page.getByLabel("Theme"), "System");
    await page.keyboard.press("Escape");
    await page.goto(`${facts.url}/console/t/${facts.tenant}/events?range=all`);
    await ready(page);
    await page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
    await clean(page, "forced colours");
    await page.emulateMedia({ forcedColors: "none", reducedMotion: "no-preference" });
    await page.evaluate(() => (document.documentElement.dir = "rtl"));
    for (const name of ["search", "details"]) {
        const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        check(beyond <= 0, `${name}, right to left: ${beyond} px beyond the window`);
        const [chip, facets] = [await page.locator(".tbody").boundingBox(), await page.locator(".facets").boundingBox()];
        check(facets.x > chip.x, "the facets stand on the other side");
        await clean(page, `${name}, right to left`);
        await shot(page, `${name}-rtl-light`);
        await page.keyboard.press("j");
        await page.keyboard.press("Enter");
        await page.getByRole("tab", { name: "Fields" }).waitFor();
    }
    await page.keyboard.press("Escape");
    await page.evaluate(() => (document.documentElement.dir = "ltr"));
    // Paper is light, and has every row that is loaded.
    await page.emulateMedia({ colorScheme: "dark", media: "print" });
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    check((await rows(page).count()) >= 100, `${await rows(page).count()} rows are printed`);
    check((await page.evaluate(() => getComputedStyle(document.body).color)) === "rgb(26, 34, 48)", "ink is dark on paper");
    check(!(await page.locator(".tools").isVisible()), "what cannot be used on paper is not on it");
    await clean(page, "paper");
    await shot(page, "print-light");
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    check((await page.pdf({ format: "A4" })).toString("latin1").match(/\/Type \/Page\b/g).length > 1, "the rows fill more than one sheet");
    await page.emulateMedia({ colorScheme: "light", media: "screen" });
}
