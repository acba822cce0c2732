// Logs 50 events at once, then 50 one after the other, with a base URL that ends in a slash.
//
// usage: node parallel.js URL KEY TENANT...
"use strict";

const tsc = require("@ironcorelabs/tenant-security-nodejs");

const [url, key, ...tenants] = process.argv.slice(2);

async function main() {
    const client = new tsc.TenantSecurityClient(`${url}/`, key);
    const log = (number) => client.logSecurityEvent(
        tsc.UserEvent.LOGIN,
        new tsc.EventMetadata(tenants[number % tenants.length], "user", undefined, undefined, undefined, `n${number}`),
    );
    const numbers = Array.from({ length: 50 }, (_, number) => number);
    const resolved = await Promise.all(numbers.map(log));
    for (const number of numbers) resolved.push(await log(50 + number));
    process.stdout.write(JSON.stringify(resolved.filter((value) => value === null).length) + "\n");
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
