DROP TABLE coupon_redemptions;
DROP TABLE coupon_customers;
DROP TABLE coupons;
ALTER TABLE carts DROP COLUMN coupons;
