-- Whether a channel has its orders assessed, from which score on one is looked into or called off, and from which total on a
-- first order is a sign, in minor units of the channel's currency; null = never.
ALTER TABLE channels ADD COLUMN risk_checks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN risk_investigate_from INTEGER NOT NULL DEFAULT 50;
ALTER TABLE channels ADD COLUMN risk_cancel_from INTEGER NOT NULL DEFAULT 90;
ALTER TABLE channels ADD COLUMN risk_first_order_from INTEGER;

-- What keeps an order from going on. One live hold of each reason.
CREATE TABLE order_holds (
    id BLOB PRIMARY KEY,
    order_id BLOB NOT NULL REFERENCES orders (id),
    reason TEXT NOT NULL CHECK (reason IN ('risk', 'manual', 'credit')),
    note TEXT,
    placed_by TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    released_by TEXT,
    released_at INTEGER,
    CHECK ((released_by IS NULL) = (released_at IS NULL))
) STRICT;
CREATE INDEX order_holds_by_order ON order_holds (order_id, id);
CREATE UNIQUE INDEX order_holds_live ON order_holds (order_id, reason) WHERE released_at IS NULL;
CREATE INDEX order_holds_queue ON order_holds (reason, id) WHERE released_at IS NULL;

-- How risky an order is, and what is counted for the next: who, where to, with which card. Written once; decided once.
CREATE TABLE risk_assessments (
    order_id BLOB PRIMARY KEY REFERENCES orders (id),
    level TEXT NOT NULL CHECK (level IN ('accept', 'investigate', 'cancel')),
    score INTEGER NOT NULL CHECK (score BETWEEN 0 AND 100),
    facts TEXT NOT NULL,
    email TEXT NOT NULL,
    address_hash TEXT,
    card_fingerprint TEXT,
    placed_at INTEGER NOT NULL,
    assessed_at INTEGER NOT NULL,
    decision TEXT CHECK (decision IN ('approved', 'declined')),
    decided_by TEXT,
    decided_at INTEGER,
    CHECK ((decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL))
) STRICT;
CREATE INDEX risk_assessments_by_email ON risk_assessments (email, placed_at);
CREATE INDEX risk_assessments_by_address ON risk_assessments (address_hash, placed_at) WHERE address_hash IS NOT NULL;
CREATE INDEX risk_assessments_by_card ON risk_assessments (card_fingerprint, placed_at) WHERE card_fingerprint IS NOT NULL;

-- Whom the shop does not sell to.
CREATE TABLE risk_blocks (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('email', 'email_domain', 'address', 'card', 'country')),
    value TEXT NOT NULL,
    note TEXT,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (kind, value)
) STRICT;
