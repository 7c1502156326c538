-- name: sign_up
INSERT INTO customers (email) VALUES ($1) RETURNING id, created_at;

-- name: customer_by_email
SELECT id, email, created_at FROM customers WHERE email = $1;
