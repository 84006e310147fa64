ALTER TABLE orders DROP COLUMN token_hash;
CREATE INDEX stock_movements_by_reference ON stock_movements (reference);
CREATE INDEX payment_events_in_order ON payment_events (payment_id, sequence);
DROP INDEX orders_by_reference;
CREATE INDEX orders_by_reference ON orders (reference);
CREATE INDEX order_lines_by_variant ON order_lines (variant_id);
CREATE INDEX order_allocations_by_level ON order_allocations (variant_id, location_id);
CREATE INDEX carts_by_channel ON carts (channel_id);
CREATE INDEX cart_lines_by_variant ON cart_lines (variant_id);

CREATE TABLE holds (
    id uuid PRIMARY KEY,
    reference uuid NOT NULL,
    variant_id uuid NOT NULL,
    location_id uuid NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
);
INSERT INTO holds (id, reference, variant_id, location_id, quantity, expires_at)
SELECT gen_random_uuid(), reference, variant_id, location_id, quantity, expires_at FROM stock_holds;
DROP TABLE stock_holds;
ALTER TABLE holds RENAME TO stock_holds;
CREATE INDEX stock_holds_by_reference ON stock_holds (reference);
CREATE INDEX stock_holds_by_level ON stock_holds (variant_id, location_id);
CREATE INDEX stock_holds_by_expiry ON stock_holds (expires_at);
