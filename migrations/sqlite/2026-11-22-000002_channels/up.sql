CREATE TABLE channels (
    id BLOB PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'inactive')),
    currency TEXT NOT NULL,
    currencies TEXT NOT NULL,
    countries TEXT NOT NULL,
    prices_include_tax INTEGER NOT NULL,
    rounding TEXT NOT NULL CHECK (rounding IN ('half_up', 'half_even', 'half_down')),
    tax_per TEXT NOT NULL CHECK (tax_per IN ('line', 'unit')),
    order_numbers TEXT NOT NULL CHECK (order_numbers IN ('sequential', 'scattered')),
    order_number_prefix TEXT NOT NULL,
    hold_minutes INTEGER NOT NULL CHECK (hold_minutes BETWEEN 1 AND 1440),
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- The next sequential order number; a row of its own, so that placing an order locks nothing else of the channel.
CREATE TABLE order_counters (
    channel_id BLOB PRIMARY KEY REFERENCES channels (id),
    next_number INTEGER NOT NULL CHECK (next_number > 0)
) STRICT;
