CREATE UNIQUE INDEX CONCURRENTLY page_views_page_day ON page_views (page, day);
