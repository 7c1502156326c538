-- name: subscribe
INSERT INTO subscribers (email, list) VALUES ($1, $2) ON CONFLICT (email, list) DO NOTHING;

-- name: subscribers_of_list
SELECT email FROM subscribers WHERE list = $1 ORDER BY email;
