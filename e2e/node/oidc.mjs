// A real OpenID provider (oidc-provider of npm) with two people and one client.
//
// usage: node oidc.mjs ISSUER-PORT CLIENT-SECRET REDIRECT-ADDRESS
// Its pages for login and consent are the provider's own development pages: any login is accepted as that person.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// Modules lie where NODE_PATH says, which `import` alone does not read.
const { default: Provider } = await import(pathToFileURL(createRequire(`${process.env.NODE_PATH}/`).resolve('oidc-provider')));

const [port, secret, redirect] = process.argv.slice(2);
const GROUPS = { alice: ['sre', 'staff'], bob: ['staff'], mallory: ['sales'] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'attestary', client_secret: secret, redirect_uris: [redirect], grant_types: ['authorization_code'], response_types: ['code'] }],
  pkce: { required: () => true },
  claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email', 'email_verified'] },
  // Claims stand in the token when asked to, else at the endpoint for them: both happen among real providers.
  conformIdTokenClaims: process.env.CLAIMS_IN_TOKEN !== 'true',
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} of Example`, email: `${id}@example.com`, email_verified: true, groups: GROUPS[id] ?? [] }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
