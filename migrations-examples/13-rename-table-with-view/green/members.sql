-- name: sign_up
INSERT INTO members (email) VALUES ($1) RETURNING id;

-- name: write_bio
UPDATE members SET bio = $2 WHERE id = $1;

-- name: member_by_email
SELECT id, email, bio FROM members WHERE email = $1;
