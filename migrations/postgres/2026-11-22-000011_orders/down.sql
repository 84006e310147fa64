DROP TABLE order_events;
DROP TABLE order_allocations;
DROP TABLE order_lines;
DROP TABLE orders;
DROP TABLE checkouts;
