-- What shop fronts did not see is lost.
UPDATE channels SET metadata = metadata -> 'public';
UPDATE products SET metadata = metadata -> 'public';
UPDATE product_variants SET metadata = metadata -> 'public';
UPDATE carts SET metadata = metadata -> 'public';
UPDATE orders SET metadata = metadata -> 'public';
