// The embedded viewer in pages of other origins.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

const { check, clean, facts, open, shot } = require("./driver.cjs");

module.exports = {
    /** The embedded viewer in pages of another origin: plain, React and Vue; restricted, and across the end of a token. */
    async embed(browser) {
        const app = await pages();
        const origin = `http://localhost:${app.port}`;
        for (const name of ["plain", "early", "react", "vue"]) {
            const page = await open(browser);
            // What the server sends, not only what is shown.
            const bodies = [];
            page.on("requestfinished", (request) => new URL(request.url()).pathname.startsWith("/v1/") && bodies.push(request.response().then((response) => response.text()).catch(() => "")));
            await page.goto(`${origin}/${name}`);
            await page.locator("audit-log-viewer").getByRole("button", { name: /Merger plan/ }).first().waitFor();
            // What is hidden does not break the check: its hashes take part.
            await page.locator("audit-log-viewer [data-proof=verified]").first().waitFor();
            check((await page.locator("audit-log-viewer [data-proof=failed]").count()) === 0, `${name}: a row fails its check`);
            const text = await page.locator("audit-log-viewer").innerText();
            check(!text.includes("Payroll") && !text.includes("192.0.2."), `${name}: a restricted view shows more than it may`);
            await clean(page, `embedded, ${name}`);
            if (name === "plain") {
                await shot(page, "embedded-light");
                await page.evaluate(() => document.querySelector("audit-log-viewer").setAttribute("theme", "dark"));
                await clean(page, "embedded, dark");
                await shot(page, "embedded-dark");
                // The token ends; the page is asked for another one, and the reader sees nothing of it.
                const given = app.tokens;
                await page.evaluate(() => (document.querySelector("audit-log-viewer").token = "atse1ended"));
                const filter = page.getByRole("combobox", { name: "Filter" });
                await filter.fill("action:document.*");
                await filter.press("Enter");
                await page.locator("audit-log-viewer").getByRole("button", { name: /Merger plan/ }).first().waitFor();
                await page.waitForFunction(() => window.expired > 0);
                check(app.tokens > given, "the page was asked for a token");
                check((await page.evaluate(() => window.filter)) === "action:document.*", "the page is told of the filter");
            }
            check((await page.context().cookies()).length === 0, "no cookie is set");
            const sent = (await Promise.all(bodies)).join("\n");
            check(sent.includes("Merger plan") && !/Payroll|192\.0\.2\.|9007199254740993/.test(sent), `${name}: the server sent more than the session may see`);
            await page.context().close();
        }
        const page = await open(browser);
        await page.goto(`${origin}/frame`);
        await page.frameLocator("iframe").getByRole("button", { name: /Merger plan/ }).first().waitFor();
        check((await page.frameLocator("iframe").locator("main").innerText()).includes("Merger plan"), "the frame shows the log");
        await page.context().close();
        // A page of another origin may not frame it: the same frame from 127.0.0.1 stays empty.
        const foreign = await open(browser);
        await foreign.goto(`http://127.0.0.1:${app.port}/frame`);
        await foreign.waitForTimeout(1500);
        check((await foreign.frameLocator("iframe").locator("#app").count()) === 0, "a foreign page cannot frame the portal");
        app.server.close();
    },
};

/** React comes as CommonJS; this makes one module of its parts. */
function react() {
    const parts = { react: "react/cjs/react.production.js", scheduler: "scheduler/cjs/scheduler.production.js", "react-dom": "react-dom/cjs/react-dom.production.js", "react-dom/client": "react-dom/cjs/react-dom-client.production.js" };
    const root = path.dirname(require.resolve("react/package.json"));
    const made = Object.entries(parts).map(([name, file]) => `${JSON.stringify(name)}: (module, exports, require) => {${fs.readFileSync(path.join(root, "..", file), "utf8")}}`);
    return `const made = {${made.join(",")}}; const known = {};
        const require = (name) => { if (!known[name]) { known[name] = { exports: {} }; made[name](known[name], known[name].exports, require); } return known[name].exports; };
        export const React = require("react"); export const { createRoot } = require("react-dom/client");`;
}

/** An application of a customer: it mints portal sessions for its own pages. */
function pages() {
    const element = `<audit-log-viewer src="${facts.url}" range="24h"></audit-log-viewer>`;
    const provide = "async () => { window.asked = (window.asked || 0) + 1; return (await fetch('/token')).text(); }";
    const script = {
        plain: `const viewer = document.querySelector("audit-log-viewer"); viewer.tokenProvider = ${provide};
            viewer.addEventListener("token-expired", () => (window.expired = (window.expired || 0) + 1));
            viewer.addEventListener("filter-change", (event) => (window.filter = event.detail.filter));`,
        // The provider is there before the element is defined.
        early: `document.querySelector("audit-log-viewer").tokenProvider = ${provide}; await import("${facts.url}/console/embed.js");`,
        react: `import { React, createRoot } from "/module/react";
            createRoot(document.getElementById("root")).render(React.createElement("audit-log-viewer", { src: "${facts.url}", tokenProvider: ${provide} }));`,
        vue: `import { createApp, h } from "/module/vue";
            createApp({ render: () => h("audit-log-viewer", { src: "${facts.url}", ".tokenProvider": ${provide} }) }).mount("#root");`,
    };
    const state = { tokens: 0 };
    const mint = async (origin) => {
        const body = { actor: { id: "u1", name: "Una" }, origin, restrict: "target.id:doc_7", hide_fields: ["context.ip", "metadata"], ttl_s: 300 };
        const reply = await fetch(`${facts.url}/v1/tenants/${facts.tenant}/portal-sessions`, { method: "POST", headers: { authorization: `Bearer ${facts.admin_key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
        check(reply.status === 201, `portal session: ${reply.status} ${await reply.clone().text()}`);
        return reply.json();
    };
    state.server = http.createServer(async (request, response) => {
        const origin = `http://localhost:${state.port}`;
        const answer = (type, text) => (response.writeHead(200, { "content-type": type }), response.end(text));
        if (request.url === "/token") {
            state.tokens += 1;
            return answer("text/plain", (await mint(origin)).token);
        }
        if (request.url.startsWith("/module/")) return answer("text/javascript", request.url.endsWith("react") ? react() : fs.readFileSync(require.resolve("vue/dist/vue.esm-browser.prod.js")));
        const name = request.url.slice(1);
        const head = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Customer</title><link rel="icon" href="data:,"></head>`;
        if (name === "frame") {
            const { url } = await mint(origin);
            return answer("text/html", `${head}<body><h1>Audit log</h1><iframe title="Audit log" width="1200" height="640" src="${facts.url}${url}"></iframe></body></html>`);
        }
        if (!(name in script)) return (response.writeHead(404), response.end());
        const body = ["plain", "early"].includes(name) ? element : '<div id="root"></div>';
        const embed = name === "early" ? "" : `<script type="module" src="${facts.url}/console/embed.js"></script>`;
        return answer("text/html", `${head}<body><main><h1>Audit log</h1>${body}</main>${embed}<script type="module">${script[name]}</script></body></html>`);
    });
    return new Promise((resolve) => state.server.listen(0, () => ((state.port = state.server.address().port), resolve(state))));
}
