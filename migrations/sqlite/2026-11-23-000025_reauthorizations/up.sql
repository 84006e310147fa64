-- The payment whose reserved money a payment takes the place of.
ALTER TABLE payments ADD COLUMN replaces_id BLOB REFERENCES payments (id);
CREATE INDEX payments_by_replaced ON payments (replaces_id) WHERE replaces_id IS NOT NULL;
