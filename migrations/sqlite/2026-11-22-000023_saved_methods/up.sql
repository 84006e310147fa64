-- Whom a provider keeps payment methods for. reference: the provider's name for them, once it is known; version: raised by
-- every change of their methods.
CREATE TABLE payment_customers (
    id BLOB PRIMARY KEY,
    provider TEXT NOT NULL,
    email TEXT NOT NULL CHECK (email = lower(email)),
    reference TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (provider, email),
    UNIQUE (provider, reference)
) STRICT;

-- What providers keep. One that is forgotten stays, so that nothing brings it back.
CREATE TABLE saved_payment_methods (
    id BLOB PRIMARY KEY,
    customer_id BLOB NOT NULL REFERENCES payment_customers (id),
    email TEXT NOT NULL,
    reference TEXT NOT NULL,
    kind TEXT NOT NULL,
    brand TEXT,
    last4 TEXT,
    expiry_month INTEGER CHECK (expiry_month BETWEEN 1 AND 12),
    expiry_year INTEGER,
    is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    forgotten_at INTEGER,
    created_at INTEGER NOT NULL,
    UNIQUE (customer_id, reference),
    CHECK (forgotten_at IS NULL OR is_default = 0)
) STRICT;
CREATE UNIQUE INDEX saved_payment_methods_default ON saved_payment_methods (email) WHERE is_default = 1;
CREATE INDEX saved_payment_methods_by_email ON saved_payment_methods (email);

ALTER TABLE payment_notices ADD COLUMN customer TEXT;
