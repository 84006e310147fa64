DROP TABLE credit_terms;
DROP INDEX orders_by_due;
DROP INDEX orders_on_terms;
ALTER TABLE orders DROP COLUMN due_at;
ALTER TABLE channels DROP COLUMN invoice_needs_terms;
