-- name: create_account
INSERT INTO accounts (email, name) VALUES ($1, $2) RETURNING id;

-- name: rename_account
UPDATE accounts SET name = $2 WHERE id = $1;

-- name: account
SELECT id, email, name FROM accounts WHERE id = $1;
