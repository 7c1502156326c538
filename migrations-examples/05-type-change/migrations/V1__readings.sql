CREATE TABLE readings (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter     text NOT NULL,
    watt_hours integer NOT NULL,
    read_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX readings_by_meter ON readings (meter, read_at);
