DROP INDEX payments_by_replaced;
ALTER TABLE payments DROP COLUMN replaces_id;
