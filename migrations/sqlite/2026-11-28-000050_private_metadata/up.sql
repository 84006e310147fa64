-- Free data is what shop fronts see and what they do not; until now there was one kind, which they saw.
UPDATE channels SET metadata = json_object('public', json(metadata), 'private', json('{}'));
UPDATE products SET metadata = json_object('public', json(metadata), 'private', json('{}'));
UPDATE product_variants SET metadata = json_object('public', json(metadata), 'private', json('{}'));
UPDATE carts SET metadata = json_object('public', json(metadata), 'private', json('{}'));
UPDATE orders SET metadata = json_object('public', json(metadata), 'private', json('{}'));
