-- name: book
INSERT INTO bookings (guest_email, guest_phone, room, nights, check_in) VALUES ($1, $2, $3, $4, $5) RETURNING id;

-- name: receive_payment
INSERT INTO payments (booking_id, amount_cents) VALUES ($1, $2);

-- name: unpaid_bookings
SELECT b.id, b.guest_email, b.room, b.check_in
FROM bookings b
WHERE NOT EXISTS (SELECT FROM payments p WHERE p.booking_id = b.id);
