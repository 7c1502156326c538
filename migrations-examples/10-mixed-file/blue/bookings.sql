-- name: book
INSERT INTO bookings (guest_email, room, nights) VALUES ($1, $2, $3) RETURNING id;

-- name: mark_paid
UPDATE bookings SET paid = true WHERE id = $1;

-- name: unpaid_bookings
SELECT id, guest_email, room FROM bookings WHERE NOT paid;

-- name: add_note
INSERT INTO booking_notes (booking_id, note) VALUES ($1, $2);
