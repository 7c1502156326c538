-- name: log_action
INSERT INTO audit_log (actor, action) VALUES ($1, $2);
