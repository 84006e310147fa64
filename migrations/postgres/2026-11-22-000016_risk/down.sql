DROP TABLE risk_blocks;
DROP TABLE risk_assessments;
DROP TABLE order_holds;
ALTER TABLE channels DROP COLUMN risk_first_order_from;
ALTER TABLE channels DROP COLUMN risk_cancel_from;
ALTER TABLE channels DROP COLUMN risk_investigate_from;
ALTER TABLE channels DROP COLUMN risk_checks;
