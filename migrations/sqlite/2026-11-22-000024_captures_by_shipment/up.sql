-- The shipment whose units a capture is for, in the caller's words: each is captured once.
ALTER TABLE payment_attempts ADD COLUMN shipment TEXT;
CREATE UNIQUE INDEX payment_attempts_by_shipment ON payment_attempts (payment_id, shipment)
    WHERE shipment IS NOT NULL AND status <> 'failed';
