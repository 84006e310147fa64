CREATE TABLE carts (
    id BLOB PRIMARY KEY,
    channel_id BLOB NOT NULL REFERENCES channels (id),
    currency TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'ordered')),
    source TEXT NOT NULL,
    email TEXT,
    shipping_address TEXT,
    billing_address TEXT,
    shipping_method_id BLOB,
    reference TEXT,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX carts_by_channel ON carts (channel_id);
CREATE INDEX carts_by_age ON carts (updated_at) WHERE status = 'open';

CREATE TABLE cart_lines (
    id BLOB PRIMARY KEY,
    cart_id BLOB NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
    variant_id BLOB NOT NULL REFERENCES product_variants (id),
    quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 100000),
    unit_price INTEGER CHECK (unit_price >= 0),
    metadata TEXT
) STRICT;
CREATE INDEX cart_lines_by_cart ON cart_lines (cart_id, id);
CREATE INDEX cart_lines_by_variant ON cart_lines (variant_id);
-- A variant stands once in a cart, unless a price was set by hand.
CREATE UNIQUE INDEX cart_lines_once ON cart_lines (cart_id, variant_id) WHERE unit_price IS NULL;
