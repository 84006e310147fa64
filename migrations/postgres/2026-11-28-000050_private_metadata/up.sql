-- Free data is what shop fronts see and what they do not; until now there was one kind, which they saw.
UPDATE channels SET metadata = jsonb_build_object('public', metadata, 'private', '{}'::jsonb);
UPDATE products SET metadata = jsonb_build_object('public', metadata, 'private', '{}'::jsonb);
UPDATE product_variants SET metadata = jsonb_build_object('public', metadata, 'private', '{}'::jsonb);
UPDATE carts SET metadata = jsonb_build_object('public', metadata, 'private', '{}'::jsonb);
UPDATE orders SET metadata = jsonb_build_object('public', metadata, 'private', '{}'::jsonb);
