-- name: create_account
INSERT INTO accounts (email, full_name) VALUES ($1, $2) RETURNING id;

-- name: rename_account
UPDATE accounts SET full_name = $2 WHERE id = $1;

-- name: account
SELECT id, email, full_name FROM accounts WHERE id = $1;
