-- name: add_product
INSERT INTO products (title) VALUES ($1) RETURNING id;

-- name: remove_product
DELETE FROM products WHERE id = $1;

-- name: product
SELECT id, title FROM products WHERE id = $1;
