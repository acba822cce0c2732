// Destinations: the wizard, each type, how one fares.
"use strict";

const path = require("node:path");

const { axe, check, clean, facts, found, open, outDir, shot, theme } = require("./driver.cjs");

module.exports = {
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
        await page.getByText(/^From seq [\d,]+ to [\d,]+: [\d,]+ events confirmed\. No gaps\./).waitFor();
        await page.getByRole("button", { name: "Compare with the log" }).click();
        await page.getByText("The log gives the same tree").waitFor();
        await clean(page, "destination");
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
        await page.getByText(/^From seq [\d,]+ to [\d,]+: [\d,]+ events confirmed\. No gaps\./).waitFor();
        await clean(page, "destination, dark");
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
};
