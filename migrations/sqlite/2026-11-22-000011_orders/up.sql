-- A cart frozen with its prices, for as long as its stock is held. remote: its payment provider is asked over a network, so
-- that the checkout is `paying` until the answer is known.
CREATE TABLE checkouts (
    id BLOB PRIMARY KEY,
    cart_id BLOB NOT NULL REFERENCES carts (id),
    cart_version INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'paying', 'ordered', 'replaced', 'expired')),
    remote INTEGER NOT NULL,
    quote TEXT NOT NULL,
    currency TEXT NOT NULL,
    total INTEGER NOT NULL CHECK (total >= 0),
    payment_id BLOB NOT NULL,
    payment TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX checkouts_open ON checkouts (cart_id) WHERE status IN ('open', 'paying');
CREATE INDEX checkouts_by_cart ON checkouts (cart_id);
CREATE INDEX checkouts_by_expiry ON checkouts (expires_at) WHERE status = 'open';

-- sequence: the number without its prefix, where the channel numbers without gaps.
CREATE TABLE orders (
    id BLOB PRIMARY KEY,
    number TEXT NOT NULL,
    sequence INTEGER,
    channel_id BLOB NOT NULL REFERENCES channels (id),
    cart_id BLOB NOT NULL UNIQUE REFERENCES carts (id),
    checkout_id BLOB NOT NULL UNIQUE REFERENCES checkouts (id),
    status TEXT NOT NULL CHECK (status IN ('open', 'completed', 'cancelled')),
    source TEXT NOT NULL,
    reference TEXT,
    email TEXT NOT NULL,
    shipping_address TEXT,
    billing_address TEXT,
    shipping_method TEXT,
    placed_by TEXT NOT NULL,
    currency TEXT NOT NULL,
    prices_include_tax INTEGER NOT NULL,
    rounding TEXT NOT NULL,
    tax_per TEXT NOT NULL,
    goods_total INTEGER NOT NULL,
    discount_total INTEGER NOT NULL,
    shipping_total INTEGER NOT NULL,
    tax_total INTEGER NOT NULL,
    grand_total INTEGER NOT NULL CHECK (grand_total >= 0),
    cancelled_total INTEGER NOT NULL DEFAULT 0,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    placed_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    cancelled_at INTEGER,
    UNIQUE (channel_id, number),
    UNIQUE (channel_id, sequence),
    CHECK (cancelled_total BETWEEN 0 AND grand_total)
) STRICT;
CREATE INDEX orders_by_reference ON orders (reference);
CREATE INDEX orders_by_email ON orders (email);

-- Lines are written before their order, whose number is taken last (deferred keys): the counter is locked that briefly.
CREATE TABLE order_lines (
    id BLOB PRIMARY KEY,
    order_id BLOB NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('goods', 'shipping')),
    variant_id BLOB REFERENCES product_variants (id),
    sku TEXT NOT NULL,
    title TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
    subtotal INTEGER NOT NULL CHECK (subtotal >= 0),
    discount INTEGER NOT NULL CHECK (discount BETWEEN 0 AND subtotal),
    net INTEGER NOT NULL CHECK (net >= 0),
    taxes TEXT NOT NULL,
    tax INTEGER NOT NULL CHECK (tax >= 0),
    total INTEGER NOT NULL,
    quantity_cancelled INTEGER NOT NULL DEFAULT 0,
    CHECK (total = net + tax),
    CHECK (quantity_cancelled BETWEEN 0 AND quantity),
    UNIQUE (order_id, position)
) STRICT;
CREATE INDEX order_lines_by_variant ON order_lines (variant_id);

-- Which location will send how many of a line.
CREATE TABLE order_allocations (
    order_line_id BLOB NOT NULL REFERENCES order_lines (id),
    variant_id BLOB NOT NULL,
    location_id BLOB NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (order_line_id, location_id),
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_allocations_by_level ON order_allocations (variant_id, location_id);

-- The timeline: who did what.
CREATE TABLE order_events (
    id BLOB PRIMARY KEY,
    order_id BLOB NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX order_events_by_order ON order_events (order_id, id);
CREATE TRIGGER order_events_no_update BEFORE UPDATE ON order_events
BEGIN SELECT RAISE(ABORT, 'order_events is append-only'); END;
CREATE TRIGGER order_events_no_delete BEFORE DELETE ON order_events
BEGIN SELECT RAISE(ABORT, 'order_events is append-only'); END;
