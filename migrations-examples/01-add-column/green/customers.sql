-- name: sign_up
INSERT INTO customers (email, phone, wants_newsletter) VALUES ($1, $2, $3) RETURNING id, created_at;

-- name: customer_by_email
SELECT id, email, phone, wants_newsletter, created_at FROM customers WHERE email = $1;

-- name: newsletter_recipients
SELECT email FROM customers WHERE wants_newsletter ORDER BY id;
