// Administration: usage, environments, redaction, schemas, tenants, the life of the data, keys.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const { check, clean, facts, open, outDir, ready, rows, shot, theme } = require("./driver.cjs");

module.exports = {
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
        await part("Legal holds").getByRole("cell", { name: "In force" }).waitFor();
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
        await page.goto(`${facts.url}/console/tenants`);
        await page.getByRole("link", { name: "fresh" }).waitFor();
        await clean(page, "tenants");
        await theme(page, "dark");
        await page.getByRole("link", { name: "fresh" }).waitFor();
        await clean(page, "tenants, dark");
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
};
