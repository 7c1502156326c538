-- name: place_order
INSERT INTO orders (customer, total) VALUES ($1, $2) RETURNING id;

-- name: order_total
SELECT total FROM orders WHERE id = $1;
