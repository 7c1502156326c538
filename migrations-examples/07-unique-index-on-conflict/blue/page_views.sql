-- Version 1 only logs events; a nightly job outside the application fills page_views.

-- name: log_view
INSERT INTO page_view_events (page) VALUES ($1);

-- name: views_of_page
SELECT day, views FROM page_views WHERE page = $1 ORDER BY day;
