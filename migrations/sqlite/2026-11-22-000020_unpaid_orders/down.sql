ALTER TABLE channels DROP COLUMN cancel_unpaid_after;
