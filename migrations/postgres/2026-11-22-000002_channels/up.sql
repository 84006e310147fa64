CREATE TABLE channels (
    id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    name text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'inactive')),
    currency text NOT NULL,
    currencies jsonb NOT NULL,
    countries jsonb NOT NULL,
    prices_include_tax boolean NOT NULL,
    rounding text NOT NULL CHECK (rounding IN ('half_up', 'half_even', 'half_down')),
    tax_per text NOT NULL CHECK (tax_per IN ('line', 'unit')),
    order_numbers text NOT NULL CHECK (order_numbers IN ('sequential', 'scattered')),
    order_number_prefix text NOT NULL,
    hold_minutes bigint NOT NULL CHECK (hold_minutes BETWEEN 1 AND 1440),
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The next sequential order number; a row of its own, so that placing an order locks nothing else of the channel.
CREATE TABLE order_counters (
    channel_id uuid PRIMARY KEY REFERENCES channels (id),
    next_number bigint NOT NULL CHECK (next_number > 0)
);
