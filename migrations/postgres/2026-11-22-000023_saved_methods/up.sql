-- Whom a provider keeps payment methods for. reference: the provider's name for them, once it is known; version: raised by
-- every change of their methods.
CREATE TABLE payment_customers (
    id uuid PRIMARY KEY,
    provider text NOT NULL,
    email text NOT NULL CHECK (email = lower(email)),
    reference text,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (provider, email),
    UNIQUE (provider, reference)
);

-- What providers keep. One that is forgotten stays, so that nothing brings it back.
CREATE TABLE saved_payment_methods (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES payment_customers (id),
    email text NOT NULL,
    reference text NOT NULL,
    kind text NOT NULL,
    brand text,
    last4 text,
    expiry_month bigint CHECK (expiry_month BETWEEN 1 AND 12),
    expiry_year bigint,
    is_default boolean NOT NULL DEFAULT false,
    forgotten_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (customer_id, reference),
    CHECK (forgotten_at IS NULL OR NOT is_default)
);
CREATE UNIQUE INDEX saved_payment_methods_default ON saved_payment_methods (email) WHERE is_default;
CREATE INDEX saved_payment_methods_by_email ON saved_payment_methods (email);

ALTER TABLE payment_notices ADD COLUMN customer text;
