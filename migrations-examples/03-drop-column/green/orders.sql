-- name: place_order
INSERT INTO orders (customer_id, total_cents) VALUES ($1, $2) RETURNING id;

-- name: order_confirmation
SELECT id, total_cents FROM orders WHERE id = $1;
