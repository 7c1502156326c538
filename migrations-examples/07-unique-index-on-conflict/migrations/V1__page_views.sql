CREATE TABLE page_views (
    page   text NOT NULL,
    day    date NOT NULL,
    views  bigint NOT NULL DEFAULT 0
);

CREATE TABLE page_view_events (
    page       text NOT NULL,
    viewed_at  timestamptz NOT NULL DEFAULT now()
);
