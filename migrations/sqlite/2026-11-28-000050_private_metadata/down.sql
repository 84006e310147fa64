-- What shop fronts did not see is lost.
UPDATE channels SET metadata = json_extract(metadata, '$.public');
UPDATE products SET metadata = json_extract(metadata, '$.public');
UPDATE product_variants SET metadata = json_extract(metadata, '$.public');
UPDATE carts SET metadata = json_extract(metadata, '$.public');
UPDATE orders SET metadata = json_extract(metadata, '$.public');
