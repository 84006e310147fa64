CREATE TABLE prices (
    variant_id BLOB NOT NULL REFERENCES product_variants (id) ON DELETE CASCADE,
    channel_id BLOB NOT NULL REFERENCES channels (id),
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    compare_at_amount INTEGER CHECK (compare_at_amount > amount),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (variant_id, channel_id, currency)
) STRICT, WITHOUT ROWID;
CREATE INDEX prices_by_channel ON prices (channel_id);

-- What a channel shows: one row for each active product that is published there and has a price. It follows from
-- products, publications, prices and stock, and is written in the transactions that change those.
CREATE TABLE listings (
    channel_id BLOB NOT NULL REFERENCES channels (id),
    currency TEXT NOT NULL,
    product_id BLOB NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    sort_title TEXT NOT NULL,
    search_text TEXT NOT NULL,
    min_price INTEGER NOT NULL,
    max_price INTEGER NOT NULL,
    in_stock INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (channel_id, currency, product_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX listings_by_price ON listings (channel_id, currency, min_price, product_id);
CREATE INDEX listings_by_title ON listings (channel_id, currency, sort_title, product_id);
CREATE INDEX listings_by_product ON listings (product_id);
