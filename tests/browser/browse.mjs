// Uses a running demo shop from pages in Chromium: a storefront of another origin, GraphiQL and Swagger UI.
//
//     node browse.mjs URL PUBLISHABLE_KEY SECRET_KEY [FOLDER]
//
// CHROMIUM names the browser (default /usr/bin/chromium); FOLDER takes screenshots. Exits with 0 only when every check
// passed.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [url, publishable, secret, folder] = process.argv.slice(2);
if (!secret) {
  console.error('usage: node browse.mjs URL PUBLISHABLE_KEY SECRET_KEY [FOLDER]');
  process.exit(2);
}

// --- What runs in a page of another origin

// What came of a request, or the browser's refusal to show it.
async function ask([target, init]) {
  try {
    const answer = await fetch(target, init);
    const headers = Object.fromEntries(answer.headers);
    const text = await answer.text();
    let body = text;
    try {
      body = JSON.parse(text);
    } catch {}
    return { status: answer.status, headers, body };
  } catch (error) {
    return { blocked: String(error) };
  }
}

const bearer = (key) => ({ authorization: `Bearer ${key}` });
const write = (method, body, more = {}) => ({
  method,
  headers: { ...bearer(publishable), 'content-type': 'application/json', ...more },
  body: JSON.stringify(body),
});

async function storefront(page, origin) {
  await page.goto(origin);
  const send = (path, init) => page.evaluate(ask, [url + path, init]);

  const list = await send('/v1/products?limit=1', { headers: bearer(publishable) });
  assert.equal(list.status, 200, JSON.stringify(list));
  assert.equal(list.body.items.length, 1);
  for (const name of ['etag', 'link', 'x-request-id']) assert.ok(list.headers[name], name);
  const again = { ...bearer(publishable), 'if-none-match': list.headers.etag };
  const known = await send('/v1/products?limit=1', { headers: again, cache: 'no-store' });
  assert.equal(known.status, 304, JSON.stringify(known));

  const lines = [{ sku: 'FH-MUG-SLATE', quantity: 1 }];
  const made = await send('/v1/carts', write('POST', { lines }));
  assert.equal(made.status, 201, JSON.stringify(made));
  const { token, cart } = made.body;
  const own = { 'x-cart-token': token };
  const once = { ...own, 'idempotency-key': crypto.randomUUID() };
  const more = await send(`/v1/carts/${cart.id}/lines`, write('POST', { lines }, once));
  assert.equal(more.body.lines[0].quantity, 2, JSON.stringify(more));
  const replayed = await send(`/v1/carts/${cart.id}/lines`, write('POST', { lines }, once));
  assert.equal(replayed.headers['idempotent-replayed'], 'true', JSON.stringify(replayed));
  const seen = await send(`/v1/carts/${cart.id}`, { headers: { ...bearer(publishable), ...own } });
  const change = write('PATCH', { email: 'shopper@example.com' }, {
    ...own,
    'if-match': seen.headers.etag,
    'x-request-id': crypto.randomUUID(),
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'apollographql-client-name': 'storefront',
  });
  const changed = await send(`/v1/carts/${cart.id}`, change);
  assert.equal(changed.status, 200, JSON.stringify(changed));
  assert.equal(changed.body.email, 'shopper@example.com');
  const stale = await send(`/v1/carts/${cart.id}`, change);
  assert.equal(stale.body.code, 'VERSION_CONFLICT');

  const query = '{ products(first: 1) { nodes { title } } }';
  const graphql = await send('/graphql', write('POST', { query }));
  assert.equal(graphql.body.data.products.nodes.length, 1, JSON.stringify(graphql));

  const nobody = await send('/v1/products', { headers: { 'x-any-header': 'that a client adds' } });
  assert.equal(nobody.body.code, 'UNAUTHENTICATED', JSON.stringify(nobody));
  const absent = await send('/v1/nothing', { headers: bearer(publishable) });
  assert.equal(absent.body.code, 'NOT_FOUND', JSON.stringify(absent));
  const staff = await send('/v1/orders', { headers: bearer(secret) });
  assert.equal(staff.body.code, 'ORIGIN_NOT_ALLOWED', JSON.stringify(staff));

  for (const [path, init] of [
    ['/metrics', {}],
    ['/health/live', {}],
    ['/webhooks/payments/manual', { method: 'POST', body: '{}' }],
    ['/v1/products', { headers: bearer(publishable), credentials: 'include' }],
  ]) {
    const answer = await send(path, init);
    assert.ok(answer.blocked, `${path} is for no page: ${JSON.stringify(answer)}`);
  }
}

async function graphiql(page) {
  await page.goto(`${url}/docs/graphiql/`);
  const editor = page.locator('.graphiql-query-editor .CodeMirror');
  await editor.waitFor();
  await page.evaluate(
    ([text, headers]) => {
      const set = (area, value) => document.querySelector(area).CodeMirror.setValue(value);
      set('.graphiql-query-editor .CodeMirror', text);
      set('.graphiql-editor-tool .graphiql-editor:not(.hidden) .CodeMirror', headers);
    },
    // Named as the query that it replaces: GraphiQL learns a new name a moment after the text has changed.
    ['query Hello { products(first: 2) { nodes { title handle } } }', JSON.stringify({ Authorization: `Bearer ${secret}` })],
  );
  await page.locator('.graphiql-execute-button').click();
  const result = page.locator('.graphiql-response');
  await result.getByText('"handle"').first().waitFor();
  await screenshot(page, 'graphiql');
  const text = await result.innerText();
  assert.ok(!text.includes('"errors"'), text);
}

async function swagger(page) {
  await page.goto(`${url}/docs/openapi/`);
  await page.locator('.opblock').first().waitFor();
  await screenshot(page, 'swagger');
  await page.locator('button.authorize').first().click();
  await page.locator('.auth-container input').fill(secret);
  await page.locator('.auth-container button.authorize').click();
  await page.locator('.auth-container button.btn-done').click();
  const operation = page.locator('[id$="-listProducts"].opblock');
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const answer = operation.locator('.live-responses-table .response-col_status');
  await answer.filter({ hasText: '200' }).waitFor();
  await operation.locator('.live-responses-table').scrollIntoViewIfNeeded();
  await screenshot(page, 'swagger-answer');
  assert.ok((await operation.locator('.live-responses-table').innerText()).includes('"items"'));
}

async function screenshot(page, name) {
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}

// --- Running them

const profile = await mkdtemp(join(tmpdir(), 'mercer-browser-'));
const elsewhere = http
  .createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><title>A storefront</title>');
  })
  .listen(0, '127.0.0.1');
await new Promise((listening) => elsewhere.once('listening', listening));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 1280, height: 900 },
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
browser.setDefaultTimeout(30_000);

const tests = {
  'a storefront of another origin': (page) =>
    storefront(page, `http://localhost:${elsewhere.address().port}`),
  GraphiQL: graphiql,
  'Swagger UI': swagger,
};
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
  try {
    await test(page);
    assert.deepEqual(complaints, []);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    await screenshot(page, `failed-${failed}`);
    console.log(`FAILED  ${name}: ${error.stack}\n${complaints.join('\n')}`);
  }
  await page.close();
}
await browser.close();
elsewhere.close();
await rm(profile, { recursive: true, force: true });
console.log(`browser: ${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
