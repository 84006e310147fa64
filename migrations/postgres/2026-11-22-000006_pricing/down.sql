DROP TABLE listings;
DROP TABLE prices;
