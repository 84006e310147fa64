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
    id BLOB PRIMARY KEY,
    reference BLOB NOT NULL,
    variant_id BLOB NOT NULL,
    location_id BLOB NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    expires_at INTEGER NOT NULL,
    FOREIGN KEY (variant_id, location_id) REFERENCES stock_levels (variant_id, location_id)
) STRICT;
INSERT INTO holds (id, reference, variant_id, location_id, quantity, expires_at)
SELECT randomblob(16), reference, variant_id, location_id, quantity, expires_at FROM stock_holds;
DROP TABLE stock_holds;
ALTER TABLE holds RENAME TO stock_holds;
CREATE INDEX stock_holds_by_reference ON stock_holds (reference);
CREATE INDEX stock_holds_by_level ON stock_holds (variant_id, location_id);
CREATE INDEX stock_holds_by_expiry ON stock_holds (expires_at);

CREATE TABLE answers (
    principal TEXT NOT NULL,
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal, operation, key)
) STRICT, WITHOUT ROWID;
INSERT INTO answers (principal, operation, key, fingerprint, answer, created_at)
SELECT principal, operation, key, fingerprint, answer, created_at FROM idempotency_keys;
DROP TABLE idempotency_keys;
ALTER TABLE answers RENAME TO idempotency_keys;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
