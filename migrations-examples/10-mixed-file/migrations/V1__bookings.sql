CREATE TABLE bookings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guest_email text NOT NULL,
    room        integer NOT NULL,
    nights      integer NOT NULL,
    paid        boolean NOT NULL DEFAULT false
);

CREATE TABLE booking_notes (
    booking_id bigint NOT NULL REFERENCES bookings,
    note       text NOT NULL
);
