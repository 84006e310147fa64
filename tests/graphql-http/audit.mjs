// Runs every GraphQL over HTTP audit against a running server.
//
//     node audit.mjs URL ['Header: value']...
//
// Headers can be given as further arguments; MERCER_AUDIT_KEY, when set, is sent as
// `Authorization: Bearer …`. Exits with 0 only when all audits are 'ok': recommendations ("warn")
// and options ("notice") count as failures too.

import { serverAudits } from 'graphql-http';

// Known beforehand, so that an update that drops audits does not pass quietly.
const EXPECTED = 61;
const TIMEOUT_MS = 30_000;

const [url, ...headerLines] = process.argv.slice(2);
if (!url) {
  console.error("usage: node audit.mjs URL ['Header: value']...");
  process.exit(2);
}

const extraHeaders = new Headers();
if (process.env.MERCER_AUDIT_KEY) {
  extraHeaders.set('authorization', `Bearer ${process.env.MERCER_AUDIT_KEY}`);
}
for (const line of headerLines) {
  const colon = line.indexOf(':');
  if (colon < 1) {
    console.error(`not a header: ${line}`);
    process.exit(2);
  }
  extraHeaders.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
}

function fetchFn(input, init = {}) {
  const headers = new Headers(init.headers);
  for (const [name, value] of extraHeaders) headers.set(name, value);
  return fetch(input, { ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
}

async function run(audit) {
  try {
    return await audit.fn();
  } catch (error) {
    // Thrown only when there is no answer to judge: nothing listens, a broken body, a timeout.
    return { status: 'fatal', reason: String(error.cause ?? error) };
  }
}

const audits = serverAudits({ url, fetchFn });
let failed = 0;
for (const audit of audits) {
  const result = await run(audit);
  if (result.status === 'ok') continue;
  failed += 1;
  const answer = result.response ? ` (HTTP ${result.response.status})` : '';
  console.log(`${result.status.toUpperCase()} ${audit.id} ${audit.name}: ${result.reason}${answer}`);
}

console.log(`audits: ${audits.length - failed} passed, ${failed} failed`);
if (audits.length !== EXPECTED) {
  console.log(`expected ${EXPECTED} audits, but there are ${audits.length}`);
}
process.exit(failed === 0 && audits.length === EXPECTED ? 0 : 1);
