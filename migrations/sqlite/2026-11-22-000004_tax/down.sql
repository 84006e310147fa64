DROP TABLE tax_rates;
DROP TABLE tax_zones;
DROP TABLE tax_classes;
