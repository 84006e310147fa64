DROP INDEX payment_attempts_by_shipment;
ALTER TABLE payment_attempts DROP COLUMN shipment;
