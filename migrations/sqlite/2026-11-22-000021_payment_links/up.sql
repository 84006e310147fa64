-- Links by which orders are paid that were placed before. payment_id: the payment of the latest try.
CREATE TABLE payment_links (
    id BLOB PRIMARY KEY,
    order_id BLOB NOT NULL REFERENCES orders (id),
    token_hash BLOB NOT NULL UNIQUE,
    payment_id BLOB REFERENCES payments (id),
    expires_at INTEGER NOT NULL,
    disabled_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX payment_links_by_order ON payment_links (order_id);
