-- name: enqueue
INSERT INTO jobs (kind) VALUES ($1) RETURNING id;

-- name: take_next
UPDATE jobs SET state = 'running', started_at = now()
WHERE id = (SELECT id FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, kind;

-- name: pause
UPDATE jobs SET state = 'paused' WHERE id = $1 AND state = 'running';

-- name: job_state
SELECT state FROM jobs WHERE id = $1;
