-- One change to the author, two moments to the database.
CREATE TABLE payments (
    booking_id   bigint NOT NULL REFERENCES bookings,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    received_at  timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE bookings
    ADD COLUMN check_in date,
    DROP COLUMN paid,
    ADD COLUMN guest_phone text;

DROP TABLE booking_notes;
