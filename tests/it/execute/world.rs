//! The world changes while a release waits: what it relies on besides columns, and what its names mean to the role that runs it.

use super::support::{Ran, Runs, Shop, step};
use cutover::plan::saved::{Phase, SavedPlan};

/// What the release of these tests relies on.
const RELIED_ON: &str = "CREATE FUNCTION sync_name() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER sync BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION sync_name();
    CREATE VIEW names AS SELECT email FROM users;
    CREATE POLICY everybody ON users USING (true);
    ALTER TABLE users ADD CONSTRAINT long CHECK (length(email) > 1);
    ALTER TABLE users ALTER COLUMN email SET DEFAULT 'nobody@x';
    CREATE INDEX users_email ON users (lower(email)) WHERE email <> 'x';";

fn role(shop: &Shop, what: &str) -> String {
    let role = format!("{what}_of_{}", shop.database);
    shop.sql(&format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}", shop.database));
    role
}

fn waiting() -> (Shop, String) {
    waiting_with("")
}

fn waiting_with(more: &str) -> (Shop, String) {
    let shop = Shop::new();
    shop.sql(more);
    let app = role(&shop, "app");
    shop.sql(&format!("{RELIED_ON}; GRANT SELECT, INSERT ON users TO {app}; GRANT UPDATE (email) ON users TO {app}"));
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0).says("waits for you");
    (shop, app)
}

#[test]
fn whatever_the_release_relies_on_must_be_as_it_left_it() {
    let (shop, app) = waiting();
    let check = |change: &str, back: &str, says: &str| {
        shop.sql(&change.replace("{app}", &app));
        let says = says.replace("{app}", &app);
        shop.run(&["promote", "--yes"])
            .ends(6)
            .says(&format!("the schema drifted: {says}; this release did not leave it so"));
        shop.run(&["rollback", "--yes"]).ends(6).says(&says).says("--force");
        assert_eq!(shop.journal().last().unwrap(), "approval_awaited", "{change}");
        shop.sql(&back.replace("{app}", &app));
    };
    check(
        "ALTER TABLE users DISABLE TRIGGER sync",
        "ALTER TABLE users ENABLE TRIGGER sync",
        "trigger sync on users is disabled, and was enabled",
    );
    let trigger = "CREATE TRIGGER sync BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION sync_name()";
    check("DROP TRIGGER sync ON users", trigger, "trigger sync on users is gone");
    let other = "CREATE TRIGGER sync BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION sync_name()";
    let (other, back) =
        (format!("DROP TRIGGER sync ON users; {other}"), format!("DROP TRIGGER sync ON users; {trigger}"));
    check(&other, &back, "trigger sync on users has another definition");
    let function = |body: &str| {
        format!("CREATE OR REPLACE FUNCTION sync_name() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN {body}; END'")
    };
    check(&function("NULL"), &function("NEW"), "function sync_name() has another definition");
    check("DROP INDEX users_phone", "CREATE INDEX users_phone ON users (phone)", "index users_phone on users is gone");
    check(
        "CREATE UNIQUE INDEX one ON users (nick) WHERE nick <> ''",
        "DROP INDEX one",
        "unique index one on users is new",
    );
    check(
        "ALTER TABLE users ADD CONSTRAINT short CHECK (length(email) < 9) NOT VALID",
        "ALTER TABLE users DROP CONSTRAINT short",
        "constraint short on users is new",
    );
    check(
        "ALTER TABLE users DROP CONSTRAINT long",
        "ALTER TABLE users ADD CONSTRAINT long CHECK (length(email) > 1)",
        "constraint long on users is gone",
    );
    check(
        "CREATE RULE silent AS ON DELETE TO users DO INSTEAD NOTHING",
        "DROP RULE silent ON users",
        "rule silent on users is new",
    );
    check(
        "ALTER POLICY everybody ON users USING (id > 1)",
        "ALTER POLICY everybody ON users USING (true)",
        "policy everybody on users has another definition",
    );
    check(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "row security of users is on, and was off",
    );
    check(
        "ALTER TABLE users ALTER COLUMN email DROP DEFAULT",
        "ALTER TABLE users ALTER COLUMN email SET DEFAULT 'nobody@x'",
        "default of users.email is gone",
    );
    check(
        "CREATE OR REPLACE VIEW names AS SELECT upper(email) AS email FROM users",
        "DROP VIEW names; CREATE VIEW names AS SELECT email FROM users",
        "view names has another definition",
    );
    check(
        "REVOKE INSERT ON users FROM {app}; REVOKE UPDATE (email) ON users FROM {app}",
        "GRANT INSERT ON users TO {app}; GRANT UPDATE (email) ON users TO {app}",
        "privileges of {app} on users lack INSERT, UPDATE (email)",
    );
    check(
        "ALTER TABLE users OWNER TO {app}",
        "ALTER TABLE users OWNER TO postgres; GRANT SELECT, INSERT ON users TO {app}; GRANT UPDATE (email) ON users TO {app}",
        "owner of users is {app}, and was postgres; privileges of {app} on users are gone",
    );
    // All of it was put back.
    shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    shop.sql(&format!("DROP OWNED BY {app} CASCADE; DROP ROLE {app}"));
}

#[test]
fn what_takes_nothing_away_stops_no_release() {
    let (shop, app) = waiting_with(
        "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE parts_0 PARTITION OF parts FOR VALUES FROM (0) TO (99);
         INSERT INTO parts SELECT id FROM users; ALTER TABLE users ADD CONSTRAINT of_part FOREIGN KEY (id) REFERENCES parts;",
    );
    shop.sql("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (99) TO (200)");
    shop.sql(&format!(
        "GRANT DELETE ON users TO {app}; GRANT SELECT ON users TO PUBLIC; CREATE INDEX more ON users (nick);
         CREATE VIEW nicks AS SELECT nick FROM users; COMMENT ON TABLE users IS 'people'; ANALYZE users; REINDEX TABLE users;
         ALTER TABLE users SET (fillfactor = 90)"
    ));
    shop.sql("VACUUM FULL users");
    shop.run(&["promote", "--yes"]).ends(0).says("is complete");
    shop.sql(&format!("DROP OWNED BY {app} CASCADE; DROP ROLE {app}"));
}

/// An older version kept columns only: nothing else can be compared.
#[test]
fn a_journal_that_keeps_columns_only_is_compared_by_them() {
    let shop = Shop::new();
    shop.sql(RELIED_ON);
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0);
    shop.sql(
        "UPDATE cutover.journal SET detail = jsonb_set(detail, '{relations}', (SELECT jsonb_object_agg(key, value)
             FROM jsonb_each(detail->'relations') WHERE key IN ('users', 'orders'))) WHERE detail ? 'relations';
         DROP TRIGGER sync ON users",
    );
    shop.run(&["promote", "--yes"]).ends(0).says("is complete");
}

/// `execute` as a role; the plan's verdict on the world comes before anything is written.
fn execute_as(shop: &Shop, role: &str, plan: &SavedPlan) -> Ran {
    let path = shop.save(plan);
    let mut command = shop.cutover(&["execute", &path, "--yes", "--traffic", "simulated"]);
    Ran::from(command.env("PGUSER", role).output().unwrap())
}

#[test]
fn a_name_that_is_something_else_to_the_role_is_refused() {
    let check = |prepare: &str, says: &[&str]| {
        let shop = Shop::new();
        let role = role(&shop, "deployer");
        shop.sql(&format!("ALTER TABLE users OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"));
        shop.sql(&prepare.replace("{role}", &role).replace("{database}", &shop.database));
        let ran = execute_as(&shop, &role, &shop.plan()).ends(6);
        let ran = says.iter().fold(ran, |ran, text| ran.says(&text.replace("{role}", &role)));
        assert!(shop.journal().is_empty(), "{prepare}");
        drop(ran);
        let columns = "SELECT count(*)::text FROM pg_attribute WHERE attname = 'phone' AND NOT attisdropped";
        assert_eq!(shop.rows(columns), ["0"], "{prepare}");
        shop.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
    };
    let like = "(id int PRIMARY KEY, name text NOT NULL, email text)";
    check(
        &format!(
            "CREATE SCHEMA AUTHORIZATION {{role}}; CREATE TABLE {{role}}.users {like}; ALTER TABLE {{role}}.users OWNER TO {{role}}"
        ),
        &[
            "users in step 1 is {role}.users for role {role} (search_path \"$user\", public), and the plan means public.users",
        ],
    );
    check(
        &format!("CREATE SCHEMA staging AUTHORIZATION {{role}}; CREATE TABLE staging.users {like}; ALTER TABLE staging.users OWNER TO {{role}};
             ALTER ROLE {{role}} IN DATABASE {{database}} SET search_path = staging, public"),
        &["users in step 1 is staging.users for role {role} (search_path staging, public), and the plan means public.users"],
    );
    check(
        "CREATE SCHEMA staging AUTHORIZATION {role}; CREATE TABLE staging.t (a int); CREATE INDEX users_old ON staging.t (a);
         ALTER TABLE staging.t OWNER TO {role}; ALTER DATABASE {database} SET search_path = staging, public",
        &["users_old in step 5 is staging.users_old for role {role}", "the plan means public.users_old"],
    );
}

#[test]
fn what_a_step_makes_goes_where_the_plan_means_it_to_be() {
    let shop = Shop::new();
    let role = role(&shop, "deployer");
    shop.sql(&format!(
        "ALTER TABLE users OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         CREATE SCHEMA AUTHORIZATION {role}"
    ));
    let steps = |sql: &str| {
        vec![
            step(1, Phase::Before, Runs::Own, "ALTER TABLE users ADD COLUMN phone text", &[], 2, 1),
            step(2, Phase::Before, Runs::Own, sql, &["2", "3", "4"], 2, 2),
        ]
    };
    let refused = execute_as(&shop, &role, &shop.plan_of(steps("CREATE TABLE orders (id int)"))).ends(6);
    refused.says(&format!("orders in step 2 is {role}.orders for role {role}")).says("the plan means public.orders");
    // Named, it goes there; and so it does by a setting of the step.
    let mut own = shop.plan_of(steps("CREATE TABLE orders (id int)"));
    own.steps[1].session = vec!["SET search_path = public".to_owned()];
    execute_as(&shop, &role, &own.sealed()).ends(0);
    shop.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

/// A team that has everything in a schema of its role's search path has one table of each name.
#[test]
fn a_schema_of_the_team_s_own_is_no_other_meaning() {
    let shop = Shop::new();
    shop.sql(&format!(
        "CREATE SCHEMA app; ALTER TABLE users SET SCHEMA app; ALTER TABLE refinery_schema_history SET SCHEMA app;
         ALTER DATABASE {} SET search_path = app, public",
        shop.database
    ));
    let mut steps = shop.plan().steps;
    steps.insert(0, step(6, Phase::Before, Runs::Own, "CREATE TABLE orders (id int)", &[], 2, 1));
    shop.execute(&shop.plan_of(steps), &[]).ends(0);
    assert_eq!(shop.rows("SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'orders'"), ["app"]);
}

#[test]
fn a_meaning_that_changes_while_the_release_waits_is_met_before_it_goes_on() {
    let (shop, app) = waiting();
    shop.sql(&format!(
        "CREATE SCHEMA staging; CREATE TABLE staging.t (a int); CREATE INDEX users_old ON staging.t (a);
         ALTER DATABASE {} SET search_path = staging, public",
        shop.database
    ));
    shop.run(&["promote", "--yes"]).ends(6).says("users_old in step 5 is staging.users_old");
    assert_eq!(shop.journal().last().unwrap(), "approval_awaited");
    // Blue uses what it used: the way back is open.
    shop.run(&["rollback", "--yes"]).ends(0).says("is rolled back");
    shop.sql(&format!("DROP OWNED BY {app} CASCADE; DROP ROLE {app}"));
}

#[test]
fn a_plan_that_does_not_fit_leaves_nothing_behind() {
    let check = |prepare: &str, code: i32| {
        let shop = Shop::new();
        shop.sql(prepare);
        shop.execute(&shop.plan(), &[]).ends(code);
        assert_eq!(shop.rows("SELECT (to_regnamespace('cutover') IS NULL)::text"), ["true"], "{prepare}");
    };
    check("ALTER TABLE users DROP COLUMN email", 6);
    check("UPDATE refinery_schema_history SET version = 7", 6);
    check("CREATE VIEW names AS SELECT name FROM users", 2);
}
