-- name: place_order
INSERT INTO orders (customer_id, total_cents, fax_number) VALUES ($1, $2, $3) RETURNING id;

-- name: order_confirmation
SELECT id, total_cents, fax_number FROM orders WHERE id = $1;
