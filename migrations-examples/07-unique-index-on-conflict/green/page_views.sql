-- name: count_view
INSERT INTO page_views (page, day, views) VALUES ($1, current_date, 1)
ON CONFLICT (page, day) DO UPDATE SET views = page_views.views + 1;

-- name: views_of_page
SELECT day, views FROM page_views WHERE page = $1 ORDER BY day;
