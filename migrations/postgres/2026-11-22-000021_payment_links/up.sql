-- Links by which orders are paid that were placed before. payment_id: the payment of the latest try.
CREATE TABLE payment_links (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    token_hash bytea NOT NULL UNIQUE,
    payment_id uuid REFERENCES payments (id),
    expires_at timestamptz NOT NULL,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX payment_links_by_order ON payment_links (order_id);
