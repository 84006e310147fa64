DROP TABLE order_counters;
DROP TABLE channels;
