CREATE TABLE orders (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  bigint NOT NULL,
    total_cents  bigint NOT NULL CHECK (total_cents >= 0),
    fax_number   text NOT NULL,
    placed_at    timestamptz NOT NULL DEFAULT now()
);
