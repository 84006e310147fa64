-- A cart frozen with its prices, for as long as its stock is held. remote: its payment provider is asked over a network, so
-- that the checkout is `paying` until the answer is known.
CREATE TABLE checkouts (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL REFERENCES carts (id),
    cart_version bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'paying', 'ordered', 'replaced', 'expired')),
    remote boolean NOT NULL,
    quote jsonb NOT NULL,
    currency text NOT NULL,
    total bigint NOT NULL CHECK (total >= 0),
    payment_id uuid NOT NULL,
    payment jsonb NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX checkouts_open ON checkouts (cart_id) WHERE status IN ('open', 'paying');
CREATE INDEX checkouts_by_cart ON checkouts (cart_id);
CREATE INDEX checkouts_by_expiry ON checkouts (expires_at) WHERE status = 'open';

-- sequence: the number without its prefix, where the channel numbers without gaps.
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    number text NOT NULL,
    sequence bigint,
    channel_id uuid NOT NULL REFERENCES channels (id),
    cart_id uuid NOT NULL UNIQUE REFERENCES carts (id),
    checkout_id uuid NOT NULL UNIQUE REFERENCES checkouts (id),
    status text NOT NULL CHECK (status IN ('open', 'completed', 'cancelled')),
    source text NOT NULL,
    reference text,
    email text NOT NULL,
    shipping_address jsonb,
    billing_address jsonb,
    shipping_method jsonb,
    placed_by text NOT NULL,
    currency text NOT NULL,
    prices_include_tax boolean NOT NULL,
    rounding text NOT NULL,
    tax_per text NOT NULL,
    goods_total bigint NOT NULL,
    discount_total bigint NOT NULL,
    shipping_total bigint NOT NULL,
    tax_total bigint NOT NULL,
    grand_total bigint NOT NULL CHECK (grand_total >= 0),
    cancelled_total bigint NOT NULL DEFAULT 0,
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    placed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    UNIQUE (channel_id, number),
    UNIQUE (channel_id, sequence),
    CHECK (cancelled_total BETWEEN 0 AND grand_total)
);
CREATE INDEX orders_by_reference ON orders (reference);
CREATE INDEX orders_by_email ON orders (email);

-- Lines are written before their order, whose number is taken last (deferred keys): the counter is locked that briefly.
CREATE TABLE order_lines (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    position bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('goods', 'shipping')),
    variant_id uuid REFERENCES product_variants (id),
    sku text NOT NULL,
    title text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    unit_price bigint NOT NULL CHECK (unit_price >= 0),
    subtotal bigint NOT NULL CHECK (subtotal >= 0),
    discount bigint NOT NULL CHECK (discount BETWEEN 0 AND subtotal),
    net bigint NOT NULL CHECK (net >= 0),
    taxes jsonb NOT NULL,
    tax bigint NOT NULL CHECK (tax >= 0),
    total bigint NOT NULL,
    quantity_cancelled bigint NOT NULL DEFAULT 0,
    CHECK (total = net + tax),
    CHECK (quantity_cancelled BETWEEN 0 AND quantity),
    UNIQUE (order_id, position)
);
CREATE INDEX order_lines_by_variant ON order_lines (variant_id);

-- Which location will send how many of a line.
CREATE TABLE order_allocations (
    order_line_id uuid NOT NULL REFERENCES order_lines (id),
    variant_id uuid NOT NULL,
    location_id uuid NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (order_line_id, location_id),
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
);
CREATE INDEX order_allocations_by_level ON order_allocations (variant_id, location_id);

-- The timeline: who did what.
CREATE TABLE order_events (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    kind text NOT NULL,
    data jsonb NOT NULL,
    actor text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX order_events_by_order ON order_events (order_id, id);
CREATE TRIGGER order_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
