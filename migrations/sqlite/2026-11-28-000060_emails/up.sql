-- An e-mail address has one spelling, in lower case; until now some tables had it as it was given.
UPDATE carts SET email = lower(email) WHERE email <> lower(email);
UPDATE orders SET email = lower(email) WHERE email <> lower(email);
UPDATE credit_terms SET email = lower(email) WHERE email <> lower(email);
DROP INDEX orders_on_terms;
CREATE INDEX orders_on_terms ON orders (email, currency) WHERE due_at IS NOT NULL;
DROP INDEX credit_terms_once;
CREATE UNIQUE INDEX credit_terms_once ON credit_terms (email, currency);
