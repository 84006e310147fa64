-- What every process shares: secrets, cache versions, keys, idempotency, the outbox and the job queue.

CREATE TABLE secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

-- Counters that tell every process when what it keeps in memory is out of date.
CREATE TABLE versions (
    name text PRIMARY KEY,
    value bigint NOT NULL
);
INSERT INTO versions (name, value) VALUES ('catalog', 1), ('settings', 1);

CREATE TABLE idempotency_keys (
    principal text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (principal, operation, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- The outbox: written in the transaction that caused it, numbered per subject, never changed.
CREATE TABLE events (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    subject uuid NOT NULL,
    sequence bigint NOT NULL,
    data jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    relayed_at timestamptz,
    UNIQUE (subject, sequence)
);
CREATE INDEX events_to_relay ON events (id) WHERE relayed_at IS NULL;

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    unique_key text UNIQUE,
    status text NOT NULL CHECK (status IN ('ready', 'running', 'dead')),
    attempts bigint NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at) WHERE status = 'ready';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE status = 'running';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
