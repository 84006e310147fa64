ALTER TABLE payment_notices DROP COLUMN customer;
DROP TABLE saved_payment_methods;
DROP TABLE payment_customers;
