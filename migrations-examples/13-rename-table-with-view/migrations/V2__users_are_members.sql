ALTER TABLE users RENAME TO members;

-- The old name stays alive for blue. A view this plain can be read and written like the table.
CREATE VIEW users AS SELECT id, email, bio FROM members;
