//! Statements that cannot be read are placed by what they were seen to do, or not at all.

use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::{Request, plan};
use cutover::postgres::throwaway::{Scratch, Throwaway};
use cutover::rehearse::observation::observe;
use insta::assert_snapshot;

use crate::support;

const BASE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE FUNCTION grow() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN grown int'; END $$;
";

/// The steps and the findings of a release, its opaque statements observed.
async fn placed(change: &str) -> String {
    let files = [("0.sql".into(), BASE.to_owned()), ("1.sql".into(), change.to_owned())];
    let folder = Folder::from_files(Convention::Plain, files).unwrap();
    let (applied, rest) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
    let server = Throwaway::Scratch(Scratch::start(support::server().await.maintenance()).await.unwrap());
    let seen = observe(&server, &folder, &pending).await.unwrap();
    server.stop().await.unwrap();
    let (base, observed) = (seen.base.as_ref(), Some(&seen.effects));
    let planned = plan(Request { base, observed, ..Request::new(&folder, &pending) });
    let place = seen.effects.server.clone();
    let mut lines: Vec<String> = planned
        .plan
        .steps
        .iter()
        .map(|s| {
            format!(
                "{} {} {} of {}{}",
                format!("{:?}", s.phase).to_lowercase(),
                format!("{:?}", s.direction).to_lowercase(),
                s.action,
                s.object,
                if s.reason.ends_with(&format!("(seen on {place})")) { " (seen)" } else { "" },
            )
        })
        .collect();
    lines.extend(
        planned
            .plan
            .findings
            .iter()
            .map(|f| format!("{} {}: {}", f.severity, f.code, f.message.replace(&place, "SERVER"))),
    );
    lines.join("\n")
}

#[tokio::test]
async fn what_adds_and_what_removes() {
    assert_snapshot!(placed("DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN b int'; END $$;\nDO $$ BEGIN EXECUTE 'ALTER TABLE t DROP COLUMN a'; END $$;\nALTER TABLE t ADD COLUMN c int;").await, @r"
    before additive DO block of t (seen)
    before additive ADD COLUMN integer of t.c
    after deletive DO block of t (seen)
    info CO106: this DO block is placed by what it was seen to do on SERVER, where it read no rows
    info CO106: this DO block is placed by what it was seen to do on SERVER, where it read no rows
    ");
    assert_snapshot!(placed("SELECT grow();\nUPDATE t SET grown = 1 WHERE grown IS NULL;").await, @r"
    before additive SELECT of t (seen)
    before data UPDATE of t.grown
    after data UPDATE of t.grown
    info CO106: this call of grow is placed by what it was seen to do on SERVER, where it read no rows
    ");
}

#[tokio::test]
async fn what_the_catalog_does_not_show_stays_opaque() {
    assert_snapshot!(placed("DO $$ BEGIN DELETE FROM t; END $$;").await, @r"
    after opaque DO block of ?
    error CO101: what this DO block does cannot be known from its text
    info CO106: this DO block was run on SERVER, and that is not enough to place it: it writes rows of t, and which ones depends on the rows there are
    ");
    assert_snapshot!(placed("DO $$ BEGIN EXECUTE 'TRUNCATE t'; END $$;").await, @r"
    after opaque DO block of ?
    error CO101: what this DO block does cannot be known from its text
    info CO106: this DO block was run on SERVER, and that is not enough to place it: it writes rows of t, and which ones depends on the rows there are
    ");
    assert_snapshot!(placed("DO $$ BEGIN EXECUTE 'CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING'; END $$;").await, @r"
    after opaque DO block of ?
    error CO101: what this DO block does cannot be known from its text
    info CO106: this DO block was run on SERVER, and that is not enough to place it: it changes pg_rewrite, which no capability stands for
    ");
    assert_snapshot!(
        placed("DO $$ BEGIN EXECUTE 'CREATE ROLE cutover_observed'; EXECUTE 'DROP ROLE cutover_observed'; END $$;")
            .await, @r"
    after opaque DO block of ?
    error CO101: what this DO block does cannot be known from its text
    info CO106: this DO block was run on SERVER, and that is not enough to place it: it changes pg_auth_members, pg_authid, which no capability stands for
    ");
    assert_snapshot!(placed("DO $$ BEGIN RAISE EXCEPTION 'not here'; END $$;").await, @r"
    after opaque DO block of ?
    error CO101: what this DO block does cannot be known from its text
    info CO106: this DO block was run on SERVER, and that is not enough to place it: it failed there: not here (SQLSTATE P0001)
    ");
    // On a database without rows.
    assert_snapshot!(
        placed("DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN EXECUTE 'ALTER TABLE t DROP COLUMN a'; END IF; END $$;").await,
        @r"
    after opaque DO block of ?
    error CO101: what this DO block does cannot be known from its text
    info CO106: this DO block was run on SERVER, and that is not enough to place it: it did nothing there, and may find more to do in production
    "
    );
    assert_snapshot!(
        placed("DO $$ BEGIN IF NOT EXISTS (SELECT FROM t) THEN EXECUTE 'ALTER TABLE t DROP COLUMN a'; END IF; END $$;").await,
        @r"
    after deletive DO block of t (seen)
    warning CO106: this DO block is placed by what it was seen to do on SERVER; it reads t, so with the rows of production it may do something else
    "
    );
}
