// Retraced's embedded viewer in a browser: a page of another origin, with the token that the unmodified publisher gets.
//
// usage: node viewer.js CHROMIUM ENDPOINT KEY PROJECT GROUP
// Prints what the page shows after each step, and every request of the viewer that was refused.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { Client } = require("@retracedhq/retraced");
const { chromium } = require("playwright-core");

const [executablePath, endpoint, apiKey, projectId, group] = process.argv.slice(2);
const modules = process.env.VIEWER_MODULES;
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

async function events() {
    const client = new Client({ endpoint, projectId, apiKey });
    for (let number = 0; number < 30; number++) {
        await client.reportEvent({
            action: `doc.${number}`, crud: "crud"[number % 4], group: { id: group, name: "G" }, actor: { id: "u", name: "Ursula" },
            target: { id: `d${number}`, name: `Document ${number}`, type: "document" },
            source_ip: "203.0.113.9", description: `Ursula <b>touched</b> document ${number}`,
        });
    }
    return client.getViewerToken(group, "person-1", true);
}

/// The application: one page, one script.
async function application(token) {
    const esbuild = require(path.join(modules, "esbuild"));
    const built = await esbuild.build({
        entryPoints: [path.join(__dirname, "page.jsx")], bundle: true, write: false, format: "iife", jsx: "automatic",
        nodePaths: [modules], loader: { ".svg": "dataurl" }, define: { "process.env.NODE_ENV": '"production"' },
    });
    const script = built.outputFiles[0].text;
    const viewer = JSON.stringify({ host: `${endpoint}/viewer/v1`, token });
    const page = `<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script>window.viewer=${viewer}</script><script src="/page.js"></script>`;
    const server = http.createServer((request, response) => {
        const [media, body] = request.url === "/page.js" ? ["text/javascript", script] : ["text/html", page];
        response.setHeader("content-type", `${media}; charset=utf-8`);
        response.end(body);
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    return server;
}

async function main() {
    const server = await application(await events());
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    const page = await (await browser.newContext({ acceptDownloads: true })).newPage();
    page.setDefaultTimeout(20_000);
    const refused = [];
    page.on("response", (reply) => reply.status() >= 400 && refused.push(`${reply.status()} ${reply.url()}`));
    page.on("pageerror", (error) => refused.push(String(error)));
    const shown = async (step) => print({
        step, count: await page.locator(".resultsCount").innerText(),
        rows: await page.locator(".EventItem").allInnerTexts(), markup: await page.locator(".EventItem b").count(),
    });
    const asked = (act) => Promise.all([page.waitForResponse((reply) => reply.url().includes("/graphql")), act]);

    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.getByText(/of 22/).waitFor();
    await shown("first");
    await asked(page.getByText("Older").click());
    await page.getByText("document 0").waitFor();
    await shown("older");
    await page.getByTestId("search-events").fill("action:doc.2");
    await asked(page.getByTestId("search-button").click());
    await page.getByText(/of 1$/).waitFor();
    await shown("found");
    await page.locator("[data-testid^=event-cell-moreinfo] .icon").first().click();
    await page.getByText("Audit Event Info").waitFor();
    print({ step: "detail", event: JSON.parse(await page.locator("textarea").inputValue()) });
    const close = () => page.locator(".u-closeIcon").click();
    await close();
    await page.getByTestId("export-events").click();
    await page.getByRole("button", { name: "Export", exact: true }).click();
    await page.getByPlaceholder("Release 1.0.0").fill("Mine");
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Name & Save" }).click()]);
    print({ step: "file", name: file.suggestedFilename(), text: fs.readFileSync(await file.path(), "utf8") });
    if (await page.locator(".u-closeIcon").count()) {
        await close();
    }
    await page.getByTestId("manage-api-tokens").click();
    await page.getByText("Create new token").click();
    await page.getByPlaceholder("Token Name").fill("stream");
    const listed = page.waitForResponse((reply) => reply.url().endsWith("/eitapi_tokens"));
    await page.getByRole("button", { name: "Create Token" }).click();
    await (await listed).finished();
    await page.getByText("stream").waitFor();
    const dialog = page.getByRole("dialog");
    print({ step: "token", text: await dialog.innerText(), inputs: await dialog.locator("input").evaluateAll((all) => all.map((one) => one.value)) });
    print({ step: "end", refused });
    await browser.close();
    server.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
