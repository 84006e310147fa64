-- The units of an order's lines that a refund is for.
CREATE TABLE payment_attempt_lines (
    attempt_id uuid NOT NULL REFERENCES payment_attempts (id),
    line_id uuid NOT NULL REFERENCES order_lines (id),
    quantity bigint NOT NULL CHECK (quantity > 0),
    amount bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (attempt_id, line_id)
);
CREATE INDEX payment_attempt_lines_by_line ON payment_attempt_lines (line_id);
