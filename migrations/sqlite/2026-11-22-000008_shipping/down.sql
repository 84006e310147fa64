DROP TABLE shipping_methods;
DROP TABLE shipping_zones;
