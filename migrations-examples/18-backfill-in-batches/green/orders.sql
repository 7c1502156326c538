-- name: place_order
INSERT INTO orders (customer, total, total_cents) VALUES ($1, $2, $3) RETURNING id;

-- Green falls back to the old column for orders that blue has placed.
-- name: order_total
SELECT coalesce(total_cents, round(total * 100)) AS total_cents FROM orders WHERE id = $1;
