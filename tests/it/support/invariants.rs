//! What must hold in any shop at any moment, looked at with plain SQL and nothing of Mercer's own.

use diesel::sql_types::BigInt;
use mercer::db::Conn;

/// What must not be, and a statement that counts how often it is.
const NEVER: &[(&str, &str)] = &[
    (
        "a level that is not the sum of its movements",
        "SELECT count(*) FROM stock_levels l LEFT JOIN (
             SELECT variant_id, location_id, CAST(sum(on_hand) AS bigint) AS on_hand, CAST(sum(held) AS bigint) AS held,
                    CAST(sum(allocated) AS bigint) AS allocated
             FROM stock_movements GROUP BY variant_id, location_id) m
         ON m.variant_id = l.variant_id AND m.location_id = l.location_id
         WHERE l.on_hand <> COALESCE(m.on_hand, 0) OR l.held <> COALESCE(m.held, 0)
            OR l.allocated <> COALESCE(m.allocated, 0)",
    ),
    (
        "units held that no checkout holds",
        "SELECT count(*) FROM stock_levels l WHERE l.held <> COALESCE((SELECT CAST(sum(h.quantity) AS bigint)
             FROM stock_holds h WHERE h.variant_id = l.variant_id AND h.location_id = l.location_id), 0)",
    ),
    (
        "units allocated that no order has",
        "SELECT count(*) FROM stock_levels l WHERE l.allocated <> COALESCE((SELECT CAST(sum(a.quantity) AS bigint)
             FROM order_allocations a WHERE a.variant_id = l.variant_id AND a.location_id = l.location_id), 0)",
    ),
    (
        "a level of which more is promised than there is",
        "SELECT count(*) FROM stock_levels WHERE held + allocated > on_hand + backorderable",
    ),
    (
        "a line of goods without its units",
        "SELECT count(*) FROM order_lines l JOIN product_variants v ON v.id = l.variant_id
         WHERE v.stock_policy <> 'untracked' AND l.quantity - l.quantity_cancelled <>
             COALESCE((SELECT CAST(sum(a.quantity) AS bigint) FROM order_allocations a WHERE a.order_line_id = l.id), 0)",
    ),
    (
        "an order whose totals are not the sums of its lines",
        "SELECT count(*) FROM orders o LEFT JOIN (
             SELECT order_id, CAST(sum(total) AS bigint) AS total, CAST(sum(tax) AS bigint) AS tax,
                    CAST(sum(discount) AS bigint) AS discount,
                    CAST(sum(CASE WHEN kind = 'goods' THEN subtotal ELSE 0 END) AS bigint) AS goods,
                    CAST(sum(CASE WHEN kind = 'shipping' THEN subtotal ELSE 0 END) AS bigint) AS shipping
             FROM order_lines GROUP BY order_id) s ON s.order_id = o.id
         WHERE s.order_id IS NULL OR o.grand_total <> s.total OR o.tax_total <> s.tax OR o.discount_total <> s.discount
            OR o.goods_total <> s.goods OR o.shipping_total <> s.shipping",
    ),
    (
        "a cart with two orders",
        "SELECT count(*) FROM (SELECT cart_id FROM orders GROUP BY cart_id HAVING count(*) > 1) AS twice",
    ),
    (
        "a cart that was ordered and has no order, or has one and is open",
        "SELECT count(*) FROM carts c LEFT JOIN orders o ON o.cart_id = c.id
         WHERE (c.status = 'ordered') <> (o.id IS NOT NULL)",
    ),
    (
        "an order whose checkout is not ordered",
        "SELECT count(*) FROM orders o JOIN checkouts k ON k.id = o.checkout_id WHERE k.status <> 'ordered'",
    ),
    (
        "an order whose money nobody promised, or whose payment is of another amount",
        "SELECT count(*) FROM orders o JOIN checkouts k ON k.id = o.checkout_id JOIN payments p ON p.id = k.payment_id
         WHERE p.amount <> o.grand_total OR 1 <> (SELECT count(*) FROM payment_events e WHERE e.payment_id = p.id
             AND e.kind IN ('authorization_success', 'awaited') AND e.amount = o.grand_total)",
    ),
    (
        "money promised without an order",
        "SELECT count(*) FROM payment_events e JOIN payments p ON p.id = e.payment_id
             LEFT JOIN orders o ON o.checkout_id = p.checkout_id
         WHERE e.kind IN ('authorization_success', 'awaited') AND o.id IS NULL",
    ),
    (
        "a hold of a cart that has no live checkout",
        "SELECT count(*) FROM stock_holds h WHERE NOT EXISTS (SELECT 1 FROM checkouts k
             WHERE k.cart_id = h.reference AND k.status IN ('open', 'paying'))",
    ),
    (
        "an order that was not announced once",
        "SELECT count(*) FROM orders o WHERE 1 <>
             (SELECT count(*) FROM events e WHERE e.subject = o.id AND e.kind = 'order.placed')",
    ),
    (
        "a gap or a double in the numbers of a channel",
        "SELECT count(*) FROM channels c JOIN order_counters n ON n.channel_id = c.id LEFT JOIN (
             SELECT channel_id, count(*) AS orders, count(DISTINCT number) AS numbers FROM orders GROUP BY channel_id) o
         ON o.channel_id = c.id
         WHERE c.order_numbers = 'sequential'
           AND (COALESCE(o.orders, 0) <> COALESCE(o.numbers, 0) OR n.next_number <> COALESCE(o.orders, 0) + 1)",
    ),
];

/// Says what is wrong with a shop.
pub fn check(conn: &mut Conn) -> Result<(), String> {
    let wrong: Vec<String> = NEVER
        .iter()
        .filter_map(|(what, text)| {
            let count = conn.rows::<BigInt, i64>(text, vec![]).unwrap()[0];
            (count > 0).then(|| format!("{what}: {count} times"))
        })
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; "))
    }
}
