CREATE TABLE carts (
    id uuid PRIMARY KEY,
    channel_id uuid NOT NULL REFERENCES channels (id),
    currency text NOT NULL,
    token_hash bytea NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'ordered')),
    source text NOT NULL,
    email text,
    shipping_address jsonb,
    billing_address jsonb,
    shipping_method_id uuid,
    reference text,
    metadata jsonb NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX carts_by_channel ON carts (channel_id);
CREATE INDEX carts_by_age ON carts (updated_at) WHERE status = 'open';

CREATE TABLE cart_lines (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
    variant_id uuid NOT NULL REFERENCES product_variants (id),
    quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 100000),
    unit_price bigint CHECK (unit_price >= 0),
    metadata jsonb
);
CREATE INDEX cart_lines_by_cart ON cart_lines (cart_id, id);
CREATE INDEX cart_lines_by_variant ON cart_lines (variant_id);
-- A variant stands once in a cart, unless a price was set by hand.
CREATE UNIQUE INDEX cart_lines_once ON cart_lines (cart_id, variant_id) WHERE unit_price IS NULL;
