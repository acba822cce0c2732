// What a page with the embedded viewer of Retraced does, step by step, with the token that the unmodified publisher package
// gets. The viewer package itself is made for a browser's build; its requests are these.
//
// usage: node retraced_viewer.js ENDPOINT KEY PROJECT GROUP
"use strict";

const { Client } = require("@retracedhq/retraced");

const [endpoint, apiKey, projectId, group] = process.argv.slice(2);
const host = `${endpoint}/viewer/v1`;
const origin = "https://app.example.com";
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const document = `query Search($query: String!, $last: Int, $before: String) {
  search(query: $query, last: $last, before: $before) {
    totalCount pageInfo { hasPreviousPage }
    edges { cursor node { id action crud created received canonical_time description
      actor { id name href } group { id name } target { id name href type } display { markdown }
      is_failure is_anonymous source_ip country loc_subdiv1 loc_subdiv2 } }
  }
}`;

async function call(method, path, token, body) {
    const headers = { origin, "content-type": "application/json", accept: "application/json" };
    if (token) {
        headers.authorization = token;
    }
    const reply = await fetch(host + path, { method, headers, body: body && JSON.stringify(body) });
    return { status: reply.status, name: reply.headers.get("content-disposition"), text: await reply.text() };
}

async function main() {
    const client = new Client({ endpoint, projectId, apiKey });
    for (let number = 0; number < 30; number++) {
        await client.reportEvent({ action: `doc.${number}`, crud: "crud"[number % 4], group: { id: group, name: "G" }, actor: { id: "u", name: "U" } });
    }
    const token = await client.getViewerToken(group, "person-1", true);
    const preflight = await fetch(`${host}/viewersession`, { method: "OPTIONS", headers: {
        origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" } });
    print({ step: "preflight", status: preflight.status, origin: preflight.headers.get("access-control-allow-origin") });
    const begun = JSON.parse((await call("POST", "/viewersession", null, { token })).text);
    const pages = [];
    let before = "";
    for (;;) {
        const reply = await call("POST", "/graphql?skipViewLogEvent=true", begun.token, { query: document, variables: { query: "crud:c,u,d", last: 20, before } });
        const search = JSON.parse(reply.text).data.search;
        pages.push(search.edges.map((edge) => edge.node.action));
        if (!search.pageInfo.hasPreviousPage) {
            break;
        }
        before = search.edges.at(-1).cursor;
    }
    print({ step: "pages", project: begun.project_id, pages });
    const path = `/project/${begun.project_id}`;
    const exportBody = { searchQuery: "action:doc.*", showCreate: true, showRead: false, showUpdate: false, showDelete: true, version: 1 };
    const made = JSON.parse((await call("POST", `${path}/export`, begun.token, { exportBody, name: "Mine" })).text);
    print({ step: "exports", list: JSON.parse((await call("GET", `${path}/exports?limit=10`, begun.token)).text) });
    print({ step: "file", id: made.id, ...(await call("GET", `${path}/export/${made.id}/rendered`, begun.token)) });
    // The dialog of tokens: it throws the answer to making one away, and shows the ids of the list that it fetches then.
    const dialog = async () => JSON.parse((await call("GET", `${path}/eitapi_tokens`, begun.token)).text);
    const before_any = await dialog();
    const created = (await call("POST", `${path}/eitapi_token`, begun.token, { displayName: "stream" })).status;
    const [shown] = await dialog();
    const read = await fetch(`${new URL(endpoint).origin}/v1/events?tenant=${encodeURIComponent(group)}`, { headers: { authorization: `Bearer ${shown.id}` } });
    const renamed = (await call("PUT", `${path}/eitapi_token/${shown.id}`, begun.token, { displayName: "SIEM", id: shown.id })).status;
    const [later] = await dialog();
    const deleted = (await call("DELETE", `${path}/eitapi_token/${later.id}`, begun.token)).status;
    print({ step: "tokens", before_any, created, shown, read: read.status, renamed, later, deleted, after: await dialog() });
    print({ step: "wrong", ...(await call("POST", "/graphql", begun.token, { query: document, variables: { query: "toic:1", last: 1 } })) });
    print({ step: "ended", ...(await call("POST", "/graphql", "ended", { query: document, variables: { query: "", last: 1 } })) });
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
