-- A payment is recorded before its provider hears of it; its id is the key the provider knows it by.
CREATE TABLE payments (
    id BLOB PRIMARY KEY,
    checkout_id BLOB NOT NULL,
    provider TEXT NOT NULL,
    method TEXT NOT NULL,
    token TEXT,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    next_check_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payments_by_checkout ON payments (checkout_id);
CREATE INDEX payments_to_check ON payments (next_check_at) WHERE next_check_at IS NOT NULL;

-- What happened, in the order it became known. Amounts and states are derived from it.
CREATE TABLE payment_events (
    id BLOB PRIMARY KEY,
    payment_id BLOB NOT NULL REFERENCES payments (id),
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    provider_reference TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (payment_id, kind, provider_reference)
) STRICT;
CREATE INDEX payment_events_in_order ON payment_events (payment_id, sequence);
CREATE TRIGGER payment_events_no_update BEFORE UPDATE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment_events is append-only'); END;
CREATE TRIGGER payment_events_no_delete BEFORE DELETE ON payment_events
BEGIN SELECT RAISE(ABORT, 'payment_events is append-only'); END;
