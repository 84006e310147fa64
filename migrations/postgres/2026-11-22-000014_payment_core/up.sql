-- When a channel takes the money of its orders.
ALTER TABLE channels ADD COLUMN capture text NOT NULL DEFAULT 'manual' CHECK (capture IN ('placement', 'shipment', 'manual'));

-- reference: what the provider calls the payment. session: what the client needs to confirm it. facts: about the instrument.
ALTER TABLE payments ADD COLUMN reference text;
ALTER TABLE payments ADD COLUMN session jsonb;
ALTER TABLE payments ADD COLUMN facts jsonb;
ALTER TABLE payments ADD COLUMN expires_at timestamptz;
CREATE INDEX payments_by_reference ON payments (provider, reference) WHERE reference IS NOT NULL;

-- Of a line: units whose money went back without a cancellation.
ALTER TABLE order_lines ADD COLUMN quantity_refunded bigint NOT NULL DEFAULT 0
    CHECK (quantity_refunded >= 0 AND quantity_cancelled + quantity_refunded <= quantity);

-- What a provider is asked for after the authorisation. It is recorded before the call, and what is pending counts as gone
-- until it is known. subject: the shipment of a capture, at most once.
CREATE TABLE payment_attempts (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    kind text NOT NULL CHECK (kind IN ('capture', 'void', 'refund')),
    amount bigint NOT NULL CHECK (amount > 0),
    last boolean NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    reason text,
    failure text,
    subject uuid,
    next_check_at timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((status = 'pending') = (finished_at IS NULL))
);
CREATE INDEX payment_attempts_by_payment ON payment_attempts (payment_id);
CREATE INDEX payment_attempts_to_check ON payment_attempts (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE UNIQUE INDEX payment_attempts_once ON payment_attempts (payment_id, kind, subject)
    WHERE subject IS NOT NULL AND status <> 'failed';

-- The ledger. A transfer debits one account and credits another, so that every posting sums to zero. An authorisation is a
-- pending transfer, a capture posts it, a release voids it. The events that move money write it: the database sees to that.
CREATE TABLE ledger_transfers (
    event_id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    phase text NOT NULL CHECK (phase IN ('pending', 'post', 'void', 'direct')),
    debit text NOT NULL,
    credit text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL,
    CHECK (debit <> credit)
);
CREATE INDEX ledger_transfers_by_payment ON ledger_transfers (payment_id);
CREATE TRIGGER ledger_transfers_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfers
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

INSERT INTO ledger_transfers (event_id, payment_id, phase, debit, credit, currency, amount, created_at)
SELECT e.id, e.payment_id,
    CASE e.kind WHEN 'authorization_success' THEN 'pending' WHEN 'awaited' THEN 'pending' WHEN 'charge_success' THEN 'post'
        WHEN 'cancel_success' THEN 'void' ELSE 'direct' END,
    CASE WHEN e.kind = 'refund_success' THEN 'customer' ELSE p.provider END,
    CASE WHEN e.kind = 'refund_success' THEN p.provider ELSE 'customer' END, p.currency, e.amount, e.created_at
FROM payment_events e JOIN payments p ON p.id = e.payment_id
WHERE e.amount > 0 AND e.kind IN ('authorization_success', 'awaited', 'charge_success', 'cancel_success', 'refund_success');

CREATE FUNCTION post_payment_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_transfers (event_id, payment_id, phase, debit, credit, currency, amount, created_at)
    SELECT NEW.id, NEW.payment_id,
        CASE NEW.kind WHEN 'authorization_success' THEN 'pending' WHEN 'awaited' THEN 'pending'
            WHEN 'charge_success' THEN 'post' WHEN 'cancel_success' THEN 'void' ELSE 'direct' END,
        CASE NEW.kind WHEN 'refund_success' THEN 'customer' WHEN 'chargeback' THEN 'disputes' ELSE p.provider END,
        CASE NEW.kind WHEN 'refund_success' THEN p.provider WHEN 'chargeback' THEN p.provider
            WHEN 'chargeback_reverse' THEN 'disputes' ELSE 'customer' END,
        p.currency, NEW.amount, NEW.created_at
    FROM payments p WHERE p.id = NEW.payment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_events_post AFTER INSERT ON payment_events FOR EACH ROW
WHEN (NEW.amount > 0 AND NEW.kind IN ('authorization_success', 'awaited', 'charge_success', 'cancel_success', 'refund_success',
    'refund_reverse', 'chargeback', 'chargeback_reverse'))
EXECUTE FUNCTION post_payment_event();

-- What providers have sent, by their own ids: told twice it counts once.
CREATE TABLE payment_notices (
    provider text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    payment_id uuid,
    reference text,
    received_at timestamptz NOT NULL,
    processed_at timestamptz,
    PRIMARY KEY (provider, id)
);
CREATE INDEX payment_notices_waiting ON payment_notices (received_at) WHERE processed_at IS NULL;
