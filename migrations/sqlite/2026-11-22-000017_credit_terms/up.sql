-- Whether an invoice is for customers on credit terms alone.
ALTER TABLE channels ADD COLUMN invoice_needs_terms INTEGER NOT NULL DEFAULT 0;

-- When an invoice is to be paid; null where an order is on no terms.
ALTER TABLE orders ADD COLUMN due_at INTEGER;
CREATE INDEX orders_on_terms ON orders (lower(email), currency) WHERE due_at IS NOT NULL;
CREATE INDEX orders_by_due ON orders (due_at, id) WHERE due_at IS NOT NULL;

-- What a business customer may owe, and for how long. hold_after_days: how many days an invoice may be overdue before nothing
-- more is sold on terms; null = any.
CREATE TABLE credit_terms (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL,
    company TEXT,
    currency TEXT NOT NULL,
    credit_limit INTEGER NOT NULL CHECK (credit_limit >= 0),
    net_days INTEGER NOT NULL CHECK (net_days BETWEEN 7 AND 90),
    status TEXT NOT NULL CHECK (status IN ('active', 'hold')),
    hold_after_days INTEGER CHECK (hold_after_days >= 0),
    note TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX credit_terms_once ON credit_terms (lower(email), currency);
