// Exports, actions, and the pages about one actor, object or request.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const { check, clean, facts, open, outDir, ready, rows, theme } = require("./driver.cjs");

module.exports = {
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
};
