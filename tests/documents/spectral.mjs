// The rules of OpenAPI and of OWASP, but for those that do not fit, each with its reason.
import { oas } from '@stoplight/spectral-rulesets';
import owasp from '@stoplight/spectral-owasp-ruleset';

// What a request may hold must have bounds. What is answered has those of what was taken, or none: a client that checked them
// would break when one is raised.
function inRequests(rule, type) {
  const schema = `[?(@ && @.type && @.type.indexOf && @.type.indexOf("${type}") >= 0)]`;
  return {
    ...owasp.rules[rule],
    given: [`$.paths[*][*].parameters[*]${schema}`, `$.paths[*][*].requestBody..${schema}`],
  };
}

export default {
  extends: [oas, owasp],
  rules: {
    'owasp:api4:2023-string-limit': inRequests('owasp:api4:2023-string-limit', 'string'),
    'owasp:api4:2023-array-limit': inRequests('owasp:api4:2023-array-limit', 'array'),
    'owasp:api4:2023-integer-limit': inRequests('owasp:api4:2023-integer-limit', 'integer'),
    // The token of a payment link is meant to stand in a link: it opens one order's payment and nothing else, and expires.
    'owasp:api2:2023-no-credentials-in-url': 'off',
    // The headers of CORS are those of every answer to another origin, and no part of what an operation says.
    'owasp:api8:2023-define-cors-origin': 'off',
    // There are no rate limits by number of requests that an answer could tell of; wrong codes are slowed, with `Retry-After`.
    'owasp:api4:2023-rate-limit': 'off',
  },
};
