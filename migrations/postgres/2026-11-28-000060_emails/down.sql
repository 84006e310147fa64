-- How addresses were given is not known any more.
DROP INDEX credit_terms_once;
CREATE UNIQUE INDEX credit_terms_once ON credit_terms (lower(email), currency);
DROP INDEX orders_on_terms;
CREATE INDEX orders_on_terms ON orders (lower(email), currency) WHERE due_at IS NOT NULL;
