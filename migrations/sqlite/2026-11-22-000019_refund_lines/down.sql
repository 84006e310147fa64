DROP TABLE payment_attempt_lines;
