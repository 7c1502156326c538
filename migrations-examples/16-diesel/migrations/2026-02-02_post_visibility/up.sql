ALTER TABLE posts ADD COLUMN hidden boolean NOT NULL DEFAULT false;
CREATE INDEX posts_by_author ON posts (author) WHERE NOT hidden;
