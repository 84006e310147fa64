-- After how many hours an order is called off whose money was to come by itself and has not; null = never.
ALTER TABLE channels ADD COLUMN cancel_unpaid_after INTEGER CHECK (cancel_unpaid_after BETWEEN 1 AND 8760);
