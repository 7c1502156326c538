-- name: record_reading
INSERT INTO readings (meter, watt_hours) VALUES ($1, $2);

-- name: latest_reading
SELECT watt_hours, read_at FROM readings WHERE meter = $1 ORDER BY read_at DESC LIMIT 1;
