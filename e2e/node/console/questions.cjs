// Saved views and alerts.
"use strict";

const path = require("node:path");

const { check, clean, facts, open, outDir, ready, rows, shot, theme } = require("./driver.cjs");

module.exports = {
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
};
