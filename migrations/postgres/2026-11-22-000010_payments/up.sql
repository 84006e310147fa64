-- A payment is recorded before its provider hears of it; its id is the key the provider knows it by.
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    checkout_id uuid NOT NULL,
    provider text NOT NULL,
    method text NOT NULL,
    token text,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    next_check_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX payments_by_checkout ON payments (checkout_id);
CREATE INDEX payments_to_check ON payments (next_check_at) WHERE next_check_at IS NOT NULL;

-- What happened, in the order it became known. Amounts and states are derived from it.
CREATE TABLE payment_events (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    sequence bigint NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    provider_reference text NOT NULL,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (payment_id, kind, provider_reference)
);
CREATE INDEX payment_events_in_order ON payment_events (payment_id, sequence);
CREATE TRIGGER payment_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
