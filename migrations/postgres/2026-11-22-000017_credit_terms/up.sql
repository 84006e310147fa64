-- Whether an invoice is for customers on credit terms alone.
ALTER TABLE channels ADD COLUMN invoice_needs_terms boolean NOT NULL DEFAULT false;

-- When an invoice is to be paid; null where an order is on no terms.
ALTER TABLE orders ADD COLUMN due_at timestamptz;
CREATE INDEX orders_on_terms ON orders (lower(email), currency) WHERE due_at IS NOT NULL;
CREATE INDEX orders_by_due ON orders (due_at, id) WHERE due_at IS NOT NULL;

-- What a business customer may owe, and for how long. hold_after_days: how many days an invoice may be overdue before nothing
-- more is sold on terms; null = any.
CREATE TABLE credit_terms (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    company text,
    currency text NOT NULL,
    credit_limit bigint NOT NULL CHECK (credit_limit >= 0),
    net_days bigint NOT NULL CHECK (net_days BETWEEN 7 AND 90),
    status text NOT NULL CHECK (status IN ('active', 'hold')),
    hold_after_days bigint CHECK (hold_after_days >= 0),
    note text,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX credit_terms_once ON credit_terms (lower(email), currency);
