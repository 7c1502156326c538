-- name: sign_up
INSERT INTO users (email) VALUES ($1) RETURNING id;

-- name: write_bio
UPDATE users SET bio = $2 WHERE id = $1;

-- name: user_by_email
SELECT id, email, bio FROM users WHERE email = $1;
