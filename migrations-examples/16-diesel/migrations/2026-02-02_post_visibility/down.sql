DROP INDEX posts_by_author;
ALTER TABLE posts DROP COLUMN hidden;
