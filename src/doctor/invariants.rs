//! The list of invariants.

/// Something that must always hold.
#[derive(Debug)]
pub struct Invariant {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Selects the rows that break it, each as one text.
    pub(super) sql: &'static str,
}

/// Everything that must always hold.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "stock follows from the ledger",
        says: "on hand, held and allocated are the sums of a level's movements",
        sql: "SELECT 'variant ' || id(l.variant_id) || ' at ' || id(l.location_id) || ': level '
                  || l.on_hand || '/' || l.held || '/' || l.allocated || ', ledger '
                  || COALESCE(m.on_hand, 0) || '/' || COALESCE(m.held, 0) || '/' || COALESCE(m.allocated, 0)
              FROM stock_levels l LEFT JOIN (
                  SELECT variant_id, location_id, sum(on_hand) AS on_hand, sum(held) AS held, sum(allocated) AS allocated
                  FROM stock_movements GROUP BY variant_id, location_id) m
              ON m.variant_id = l.variant_id AND m.location_id = l.location_id
              WHERE l.on_hand <> COALESCE(m.on_hand, 0) OR l.held <> COALESCE(m.held, 0)
                  OR l.allocated <> COALESCE(m.allocated, 0)",
    },
    Invariant {
        name: "nothing is oversold",
        says: "what is promised never exceeds what is on hand and may be ordered back, and nothing is negative",
        sql: "SELECT 'variant ' || id(variant_id) || ' at ' || id(location_id) || ': ' || held || ' held and '
                  || allocated || ' allocated of ' || on_hand || ' and ' || backorderable
              FROM stock_levels
              WHERE held + allocated > on_hand + backorderable OR on_hand < 0 OR held < 0 OR allocated < 0",
    },
    Invariant {
        name: "held stock belongs to checkouts",
        says: "what a level has held is the sum of its holds",
        sql: "SELECT 'variant ' || id(l.variant_id) || ' at ' || id(l.location_id) || ': ' || l.held || ' held, holds of '
                  || COALESCE(h.quantity, 0)
              FROM stock_levels l LEFT JOIN (
                  SELECT variant_id, location_id, sum(quantity) AS quantity FROM stock_holds
                  GROUP BY variant_id, location_id) h
              ON h.variant_id = l.variant_id AND h.location_id = l.location_id
              WHERE l.held <> COALESCE(h.quantity, 0)",
    },
    Invariant {
        name: "every hold has a live checkout",
        says: "a hold's cart has a checkout that is open or being paid",
        sql: "SELECT 'variant ' || id(h.variant_id) || ' for cart ' || id(h.reference) FROM stock_holds h
              WHERE NOT EXISTS (SELECT 1 FROM checkouts k WHERE k.cart_id = h.reference AND k.status IN ('open', 'paying'))",
    },
    Invariant {
        name: "allocated stock belongs to orders",
        says: "what a level has allocated is the sum of its orders' allocations",
        sql: "SELECT 'variant ' || id(l.variant_id) || ' at ' || id(l.location_id) || ': ' || l.allocated
                  || ' allocated, orders have ' || COALESCE(a.quantity, 0)
              FROM stock_levels l LEFT JOIN (
                  SELECT variant_id, location_id, sum(quantity) AS quantity FROM order_allocations
                  GROUP BY variant_id, location_id) a
              ON a.variant_id = l.variant_id AND a.location_id = l.location_id
              WHERE l.allocated <> COALESCE(a.quantity, 0)",
    },
    Invariant {
        name: "totals are sums of lines",
        says: "an order's totals are the sums of its stored lines",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || '): total ' || o.grand_total || ', lines '
                  || COALESCE(l.total, 0)
              FROM orders o LEFT JOIN (
                  SELECT order_id, sum(total) AS total, sum(tax) AS tax, sum(discount) AS discount,
                      sum(CASE WHEN kind = 'goods' THEN subtotal ELSE 0 END) AS goods,
                      sum(CASE WHEN kind = 'shipping' THEN subtotal ELSE 0 END) AS shipping
                  FROM order_lines GROUP BY order_id) l ON l.order_id = o.id
              WHERE o.grand_total <> COALESCE(l.total, 0) OR o.tax_total <> COALESCE(l.tax, 0)
                  OR o.discount_total <> COALESCE(l.discount, 0) OR o.goods_total <> COALESCE(l.goods, 0)
                  OR o.shipping_total <> COALESCE(l.shipping, 0)",
    },
    Invariant {
        name: "a line's parts are its whole",
        says: "a line's total is its net and its tax, and it is allocated what is not called off",
        sql: "SELECT 'line ' || id(l.id) || ' of order ' || id(l.order_id) FROM order_lines l
              WHERE l.total <> l.net + l.tax OR l.quantity_cancelled > l.quantity
                  OR (EXISTS (SELECT 1 FROM order_allocations a WHERE a.order_line_id = l.id)
                      AND l.quantity - l.quantity_cancelled <>
                          (SELECT sum(a.quantity) FROM order_allocations a WHERE a.order_line_id = l.id))",
    },
    Invariant {
        name: "one order a cart",
        says: "a cart is `ordered` if and only if there is one order of it, and so is the order's checkout",
        sql: "SELECT 'cart ' || id(c.id) || ' is ' || c.status FROM carts c LEFT JOIN orders o ON o.cart_id = c.id
              WHERE (c.status = 'ordered') <> (o.id IS NOT NULL)
              UNION ALL
              SELECT 'checkout ' || id(k.id) || ' is ' || k.status
              FROM checkouts k LEFT JOIN orders o ON o.checkout_id = k.id
              WHERE (k.status = 'ordered') <> (o.id IS NOT NULL)
              UNION ALL
              SELECT 'cart ' || id(cart_id) || ' has ' || count(*) || ' orders'
              FROM orders GROUP BY cart_id HAVING count(*) > 1",
    },
    Invariant {
        name: "an order is in its cart's currency",
        says: "cart, checkout, payments and order have one currency and one total: the checkout's own payment and those by credit",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || ')' FROM orders o
              JOIN carts c ON c.id = o.cart_id JOIN checkouts k ON k.id = o.checkout_id
              JOIN payments p ON p.checkout_id = k.id
                  AND (p.id = k.payment_id OR p.provider IN ('gift_card', 'store_credit'))
              GROUP BY o.id, o.number, o.currency, c.currency, k.currency, o.grand_total, k.total
              HAVING o.currency <> c.currency OR o.currency <> k.currency OR o.currency <> min(p.currency)
                  OR o.currency <> max(p.currency) OR o.grand_total <> k.total OR o.grand_total <> sum(p.amount)",
    },
    Invariant {
        name: "every order is paid or will be",
        says: "an order's payments are authorised, awaited or captured with the order's total",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || ')' FROM orders o
              JOIN checkouts k ON k.id = o.checkout_id LEFT JOIN payments p ON p.checkout_id = k.id
                  AND (p.id = k.payment_id OR p.provider IN ('gift_card', 'store_credit'))
              GROUP BY o.id, o.number, o.grand_total
              HAVING o.grand_total <> sum(CASE WHEN p.id IS NULL THEN 0 ELSE COALESCE(
                  (SELECT max(e.amount) FROM payment_events e WHERE e.payment_id = p.id
                    AND e.kind IN ('authorization_success', 'awaited')),
                  (SELECT max(e.amount) FROM payment_events e WHERE e.payment_id = p.id
                    AND e.kind = 'charge_success'), -1) END)",
    },
    Invariant {
        name: "no more is captured than was promised, nor goes back than came",
        says: "by provider: captured and let go ≤ authorised, refunded ≤ captured, attempts that are pending counted",
        sql: "SELECT 'payment ' || id(p.id) FROM payments p JOIN (
                  SELECT payment_id,
                      sum(CASE WHEN kind = 'authorization_success' THEN amount ELSE 0 END) AS authorised,
                      sum(CASE WHEN kind = 'charge_success' THEN amount ELSE 0 END) AS captured,
                      sum(CASE WHEN kind = 'cancel_success' THEN amount ELSE 0 END) AS released,
                      sum(CASE kind WHEN 'refund_success' THEN amount WHEN 'refund_reverse' THEN -amount ELSE 0 END)
                          AS refunded
                  FROM payment_events GROUP BY payment_id) e ON e.payment_id = p.id
              LEFT JOIN (
                  SELECT payment_id, sum(CASE WHEN kind = 'refund' THEN amount ELSE 0 END) AS refunds,
                      sum(CASE WHEN kind = 'refund' THEN 0 ELSE amount END) AS takes
                  FROM payment_attempts WHERE status = 'pending' GROUP BY payment_id) a ON a.payment_id = p.id
              WHERE e.refunded + COALESCE(a.refunds, 0) > e.captured
                  OR (p.provider <> 'manual' AND e.captured + e.released + COALESCE(a.takes, 0) > e.authorised)",
    },
    Invariant {
        name: "refunded units have a refund",
        says: "of each order line that is not called off: the units refunded are those of its refunds that have not failed",
        sql: "SELECT 'line ' || id(l.id) || ': ' || l.quantity_refunded || ' refunded, refunds for ' || COALESCE(r.quantity, 0)
              FROM order_lines l LEFT JOIN (
                  SELECT x.line_id, sum(x.quantity) AS quantity FROM payment_attempt_lines x
                  JOIN payment_attempts a ON a.id = x.attempt_id WHERE a.kind = 'refund' AND a.status <> 'failed'
                  GROUP BY x.line_id) r ON r.line_id = l.id
              WHERE l.quantity_refunded <> COALESCE(r.quantity, 0) AND l.quantity_cancelled < l.quantity",
    },
    Invariant {
        name: "a unit is captured once",
        says: "of each order line: its captures that have not failed are for no more units than it has",
        sql: "SELECT 'line ' || id(l.id) || ': ' || l.quantity || ' units, captured ' || sum(x.quantity)
              FROM payment_attempt_lines x JOIN payment_attempts a ON a.id = x.attempt_id
              JOIN order_lines l ON l.id = x.line_id WHERE a.kind = 'capture' AND a.status <> 'failed'
              GROUP BY l.id, l.quantity HAVING sum(x.quantity) > l.quantity",
    },
    Invariant {
        name: "what is called off goes back",
        says: "what an order's payments have let go or sent back, and are about to, is at least what was called off",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || '): called off ' || o.cancelled_total || ', given back '
                  || COALESCE(e.amount, 0)
              FROM orders o LEFT JOIN (
                  SELECT p.checkout_id, sum(e.amount) AS amount FROM payments p JOIN (
                      SELECT payment_id, amount FROM payment_events WHERE kind IN ('cancel_success', 'refund_success', 'chargeback')
                      UNION ALL SELECT payment_id, amount FROM payment_attempts
                      WHERE kind IN ('void', 'refund') AND status <> 'succeeded') e ON e.payment_id = p.id
                  GROUP BY p.checkout_id) e ON e.checkout_id = o.checkout_id
              WHERE o.cancelled_total > COALESCE(e.amount, 0)
                AND NOT EXISTS (SELECT 1 FROM order_events n WHERE n.order_id = o.id AND n.kind = 'refund_due')",
    },
    Invariant {
        name: "what is kept beyond what is due is told",
        says: "where an order's payments keep more than it comes to, its timeline says so, or a job sends it back",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || '): kept ' || k.amount || ' of '
                  || (o.grand_total - o.cancelled_total)
              FROM orders o JOIN (
                  SELECT p.checkout_id, sum(CASE WHEN e.kind IN ('charge_success', 'refund_reverse', 'chargeback_reverse')
                      THEN e.amount ELSE -e.amount END) AS amount
                  FROM payments p JOIN payment_events e ON e.payment_id = p.id
                  WHERE e.kind IN ('charge_success', 'refund_success', 'refund_reverse', 'chargeback', 'chargeback_reverse')
                  GROUP BY p.checkout_id) k ON k.checkout_id = o.checkout_id
              LEFT JOIN (
                  SELECT p.checkout_id, sum(CASE WHEN a.status = 'pending' THEN a.amount ELSE 0 END) AS pending,
                      sum(CASE WHEN l.attempt_id IS NULL THEN 0 ELSE a.amount END) AS of_units
                  FROM payments p JOIN payment_attempts a ON a.payment_id = p.id
                  LEFT JOIN (SELECT DISTINCT attempt_id FROM payment_attempt_lines) l ON l.attempt_id = a.id
                  WHERE a.kind = 'refund' AND a.status <> 'failed' GROUP BY p.checkout_id) r
              ON r.checkout_id = o.checkout_id
              WHERE k.amount - COALESCE(r.pending, 0) > o.grand_total - o.cancelled_total - COALESCE(r.of_units, 0)
                AND NOT EXISTS (SELECT 1 FROM order_events n WHERE n.order_id = o.id AND n.kind = 'refund_due')
                AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'payments.release')",
    },
    Invariant {
        name: "the ledger follows from the events",
        says: "each event that moves money has one transfer of its amount, and each transfer its event",
        sql: "SELECT 'payment event ' || id(e.id) FROM payment_events e
              LEFT JOIN ledger_transfers t ON t.event_id = e.id
              WHERE (t.event_id IS NULL OR t.amount <> e.amount) AND e.amount > 0
                AND e.kind IN ('authorization_success', 'awaited', 'charge_success', 'cancel_success', 'refund_success',
                    'refund_reverse', 'chargeback', 'chargeback_reverse')
              UNION ALL SELECT 'transfer ' || id(t.event_id) FROM ledger_transfers t
              WHERE NOT EXISTS (SELECT 1 FROM payment_events e WHERE e.id = t.event_id)",
    },
    Invariant {
        name: "credit follows from its entries",
        says: "the balance of a gift card or store credit is the sum of its entries, and never negative",
        sql: "SELECT 'account ' || id(a.id) || ': balance ' || a.balance || ', entries ' || COALESCE(e.amount, 0)
              FROM credit_accounts a LEFT JOIN (
                  SELECT account_id, sum(amount) AS amount FROM credit_entries GROUP BY account_id) e ON e.account_id = a.id
              WHERE a.balance <> COALESCE(e.amount, 0) OR a.balance < 0",
    },
    Invariant {
        name: "credit pays what its payments say",
        says: "what a payment has redeemed and not given back is what it has captured and not refunded",
        sql: "SELECT 'payment ' || id(p.id) || ': captured ' || COALESCE(v.amount, 0) || ', redeemed ' || COALESCE(e.amount, 0)
              FROM payments p LEFT JOIN (
                  SELECT payment_id, sum(CASE kind WHEN 'charge_success' THEN amount WHEN 'refund_reverse' THEN amount
                      WHEN 'refund_success' THEN -amount ELSE 0 END) AS amount
                  FROM payment_events GROUP BY payment_id) v ON v.payment_id = p.id
              LEFT JOIN (
                  SELECT payment_id, -sum(amount) AS amount FROM credit_entries
                  WHERE payment_id IS NOT NULL GROUP BY payment_id) e ON e.payment_id = p.id
              WHERE COALESCE(v.amount, 0) <> COALESCE(e.amount, 0)
                AND (p.provider IN ('gift_card', 'store_credit') OR e.payment_id IS NOT NULL)",
    },
    Invariant {
        name: "a coupon's uses are its orders",
        says: "a coupon, and a customer of it, has as many uses as orders that gave none back, within the coupon's limit",
        sql: "SELECT 'coupon ' || id(c.id) || ': used ' || c.used || ', by orders ' || COALESCE(r.uses, 0)
              FROM coupons c LEFT JOIN (
                  SELECT coupon_id, count(*) AS uses FROM coupon_redemptions WHERE returned_at IS NULL
                  GROUP BY coupon_id) r ON r.coupon_id = c.id
              WHERE c.used <> COALESCE(r.uses, 0) OR c.used > c.usage_limit
              UNION ALL
              SELECT 'coupon ' || id(c.coupon_id) || ': used by a customer ' || c.used || ', by their orders ' || COALESCE(r.uses, 0)
              FROM coupon_customers c LEFT JOIN (
                  SELECT coupon_id, email, count(*) AS uses FROM coupon_redemptions WHERE returned_at IS NULL
                  GROUP BY coupon_id, email) r ON r.coupon_id = c.coupon_id AND r.email = c.email
              WHERE c.used <> COALESCE(r.uses, 0)",
    },
    Invariant {
        name: "what coupons take off is in the order",
        says: "an order's coupons take off no more than its lines say, and are given back with all of it and not before",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || ')' FROM orders o JOIN (
                  SELECT order_id, sum(amount) AS amount, count(returned_at) AS returned, count(*) AS uses
                  FROM coupon_redemptions GROUP BY order_id) r ON r.order_id = o.id
              WHERE r.amount > o.discount_total
                  OR r.returned <> CASE WHEN o.status = 'cancelled' THEN r.uses ELSE 0 END",
    },
    Invariant {
        name: "no money is held without an order",
        says: "what was authorised or taken for a checkout that never became an order is let go, sent back, or about to be",
        sql: "SELECT 'payment ' || id(p.id) FROM payments p JOIN checkouts k ON k.id = p.checkout_id JOIN (
                  SELECT payment_id, sum(CASE WHEN kind = 'authorization_success' THEN amount
                      WHEN kind IN ('cancel_success', 'refund_success') THEN -amount ELSE 0 END) AS amount
                  FROM payment_events GROUP BY payment_id) e ON e.payment_id = p.id
              WHERE e.amount > 0 AND k.status IN ('replaced', 'expired')
                AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'payments.release')",
    },
    Invariant {
        name: "a cancelled order is cancelled whole",
        says: "an order is `cancelled` if and only if nothing of any line is left",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || ') is ' || o.status FROM orders o
              WHERE (o.status = 'cancelled') <> NOT EXISTS (
                  SELECT 1 FROM order_lines l WHERE l.order_id = o.id AND l.quantity_cancelled < l.quantity)",
    },
    Invariant {
        name: "what is over is not on hold",
        says: "only open orders are on hold, and an order that was declined is cancelled",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || ') is ' || o.status || ' and on hold' FROM orders o
              JOIN order_holds h ON h.order_id = o.id WHERE h.released_at IS NULL AND o.status <> 'open'
              UNION ALL SELECT 'order ' || o.number || ' (' || id(o.id) || ') was declined and is ' || o.status
              FROM orders o JOIN risk_assessments r ON r.order_id = o.id
              WHERE r.decision = 'declined' AND o.status <> 'cancelled'",
    },
    Invariant {
        name: "order numbers have no gaps",
        says: "a channel's sequential numbers are 1 to the counter's last, each once",
        sql: "SELECT 'channel ' || id(c.channel_id) || ': the counter is at ' || c.next_number || ', there are '
                  || count(o.sequence) || ' numbers up to ' || COALESCE(max(o.sequence), 0)
              FROM order_counters c LEFT JOIN orders o ON o.channel_id = c.channel_id
              GROUP BY c.channel_id, c.next_number
              HAVING count(o.sequence) <> c.next_number - 1 OR COALESCE(max(o.sequence), 0) <> c.next_number - 1",
    },
    Invariant {
        name: "every order was announced",
        says: "each order has its event `order.placed`, once",
        sql: "SELECT 'order ' || o.number || ' (' || id(o.id) || ')' FROM orders o
              WHERE 1 <> (SELECT count(*) FROM events e WHERE e.subject = o.id AND e.kind = 'order.placed')",
    },
    Invariant {
        name: "events have no gaps",
        says: "the events of an object are numbered 1, 2, 3, …",
        sql: "SELECT 'object ' || id(subject) || ': ' || count(*) || ' events up to ' || max(sequence)
              FROM events GROUP BY subject HAVING count(*) <> max(sequence)",
    },
    Invariant {
        name: "channels show what they should",
        says: "listings are the active products that are published with a price, in stock as the levels say, each with its document",
        sql: "SELECT 'product ' || id(w.product_id) || ' in channel ' || id(w.channel_id) || ', ' || w.currency
              FROM (SELECT pub.channel_id, pr.currency, p.id AS product_id, p.version, min(pr.amount) AS min_price,
                        max(CASE WHEN v.stock_policy = 'untracked' OR EXISTS (
                            SELECT 1 FROM stock_levels l JOIN locations o ON o.id = l.location_id
                            WHERE l.variant_id = v.id AND o.active
                              AND l.on_hand + l.backorderable - l.held - l.allocated > 0) THEN 1 ELSE 0 END) AS in_stock
                    FROM products p JOIN publications pub ON pub.product_id = p.id
                    JOIN product_variants v ON v.product_id = p.id AND v.status = 'active'
                    JOIN prices pr ON pr.variant_id = v.id AND pr.channel_id = pub.channel_id
                    WHERE p.status = 'active' GROUP BY pub.channel_id, pr.currency, p.id, p.version) w
              LEFT JOIN listings s ON s.channel_id = w.channel_id AND s.currency = w.currency
                  AND s.product_id = w.product_id
              LEFT JOIN listing_documents d ON d.channel_id = w.channel_id AND d.currency = w.currency
                  AND d.product_id = w.product_id
              WHERE s.product_id IS NULL OR s.min_price <> w.min_price
                  OR d.product_id IS NULL OR (d.version <> w.version AND d.format > 0)
                  OR (CASE WHEN s.in_stock THEN 1 ELSE 0 END) <> w.in_stock",
    },
    Invariant {
        name: "no job is dead",
        says: "no job has failed so often that it was set aside",
        sql: "SELECT 'job ' || id(id) || ' (' || kind || '): ' || COALESCE(last_error, '') FROM jobs WHERE status = 'dead'",
    },
];
