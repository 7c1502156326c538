-- name: insert_post
INSERT INTO "posts" ("author", "body", "hidden") VALUES ($1, $2, DEFAULT)
RETURNING "posts"."id", "posts"."author", "posts"."body", "posts"."hidden";

-- name: hide_post
UPDATE "posts" SET "hidden" = $1 WHERE ("posts"."id" = $2);

-- name: visible_posts_of_author
SELECT "posts"."id", "posts"."author", "posts"."body", "posts"."hidden"
FROM "posts" WHERE (("posts"."author" = $1) AND ("posts"."hidden" = $2)) ORDER BY "posts"."id" DESC;
