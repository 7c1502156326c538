-- name: log_action
INSERT INTO audit_log (actor, action) VALUES ($1, $2);

-- name: actions_of_actor
SELECT action, logged_at FROM audit_log WHERE actor = $1 ORDER BY logged_at DESC LIMIT 50;
