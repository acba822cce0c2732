// Runs the offline page in Chromium over every case of the corpus: the good bundle holds, every other one fails at the
// step that the case names. Usage: node corpus.mjs PAGE FOLDER   (PLAYWRIGHT names the module, CHROMIUM the browser)
import { createRequire } from "node:module";
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const { chromium } = require(process.env.PLAYWRIGHT ?? "playwright-core");
const [page, folder] = process.argv.slice(2).map((path) => resolve(path));
const cases = readdirSync(folder).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
if (cases.length < Number(process.env.CASES_MIN ?? 50)) throw new Error(`only ${cases.length} cases in ${folder}`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext();
const wrong = [], requests = [];
const tab = await context.newPage();
tab.on("request", (request) => requests.push(request.url()));
tab.on("console", (message) => { if (message.type() === "error") wrong.push(`console: ${message.text()}`); });
for (const name of cases) {
  const expected = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  await tab.clock.setFixedTime(expected.now_ms);
  await tab.goto(pathToFileURL(page).href);
  await tab.setInputFiles("#bundle", join(folder, `${name}.zip`));
  await tab.setInputFiles("#trust", join(folder, `${name}.trust`));
  await tab.click("#run");
  await tab.waitForSelector("#verdict[data-exit]", { timeout: 60_000 });
  const exit = Number(await tab.getAttribute("#verdict", "data-exit"));
  const lines = await tab.$$eval("#steps tr", (rows) => rows.map((row) => [row.dataset.outcome, row.innerText]));
  const failed = lines.findIndex(([outcome]) => outcome === "FAIL");
  const holds = expected.step === null ? exit === 0 && lines.every(([outcome]) => outcome === "ok") : exit === 1 && failed === expected.step;
  if (!holds) wrong.push(`${expected.what}: expected step ${expected.step}, got exit ${exit}\n${lines.map(([, text]) => `  ${text}`).join("\n")}`);
}
// The page reaches for nothing but itself, and its policy would not let it.
const elsewhere = requests.filter((url) => url !== pathToFileURL(page).href);
if (elsewhere.length) wrong.push(`the page asked for ${elsewhere[0]}`);
const blocked = await tab.evaluate(() => fetch("https://example.com/").then(() => "fetched", () => "refused"));
if (blocked !== "refused") wrong.push("the policy let a connection through");
await browser.close();
for (const line of wrong.filter((line) => !line.includes("example.com"))) console.error(line);
console.log(`offline page: ${cases.length} bundles, ${wrong.filter((line) => !line.includes("example.com")).length} wrong`);
process.exit(wrong.some((line) => !line.includes("example.com")) ? 1 : 0);
