-- name: insert_post
INSERT INTO "posts" ("author", "body") VALUES ($1, $2) RETURNING "posts"."id", "posts"."author", "posts"."body";

-- name: posts_of_author
SELECT "posts"."id", "posts"."author", "posts"."body" FROM "posts" WHERE ("posts"."author" = $1) ORDER BY "posts"."id" DESC;
