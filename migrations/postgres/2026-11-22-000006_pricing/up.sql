CREATE TABLE prices (
    variant_id uuid NOT NULL REFERENCES product_variants (id) ON DELETE CASCADE,
    channel_id uuid NOT NULL REFERENCES channels (id),
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    compare_at_amount bigint CHECK (compare_at_amount > amount),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (variant_id, channel_id, currency)
);
CREATE INDEX prices_by_channel ON prices (channel_id);

-- What a channel shows: one row for each active product that is published there and has a price. It follows from
-- products, publications, prices and stock, and is written in the transactions that change those.
CREATE TABLE listings (
    channel_id uuid NOT NULL REFERENCES channels (id),
    currency text NOT NULL,
    product_id uuid NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    sort_title text COLLATE "C" NOT NULL,
    search_text text NOT NULL,
    min_price bigint NOT NULL,
    max_price bigint NOT NULL,
    in_stock boolean NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (channel_id, currency, product_id)
);
CREATE INDEX listings_by_price ON listings (channel_id, currency, min_price, product_id);
CREATE INDEX listings_by_title ON listings (channel_id, currency, sort_title, product_id);
CREATE INDEX listings_by_product ON listings (product_id);
