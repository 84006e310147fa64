// A client in TypeScript, checked against the types that openapi-typescript makes of the document. It is compiled, not run.
import type { components, operations } from './openapi.js';

type NewChannel = operations['createChannel']['requestBody']['content']['application/json'];
type Problem = components['schemas']['Problem'];

// Metadata is free.
export const channel: NewChannel = {
  handle: 'eu',
  name: 'Europe',
  currency: 'EUR',
  countries: ['DE'],
  metadata: { erp: { id: 4711, tags: ['a', 'b'] }, note: 'as the shop likes it' },
};

// A parameter is left out rather than null.
export const products: NonNullable<operations['listProducts']['parameters']['query']> = {
  limit: 20,
  sort: 'price_desc',
  attribute: ['size:042'],
};

// An error has a code, and more codes may come.
export function advice(problem: Problem): string {
  switch (problem.code) {
    case 'INSUFFICIENT_STOCK':
      return (problem.errors ?? []).map((error) => `${error.pointer}: ${error.available} left`).join();
    case 'A_CODE_OF_TOMORROW':
      return problem.detail;
    default:
      return `${problem.status} ${problem.title}`;
  }
}

export type Conflict = operations['placeOrder']['responses']['409']['content']['application/problem+json'];
export const same: (conflict: Conflict) => string = advice;
