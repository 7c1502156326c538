//! From the files to the end, through `plan` and `execute`.

use super::support::{Shop, async_client};

const NEW: [(&str, &str); 3] = [
    (
        "V2__contact.sql",
        "ALTER TABLE users ADD COLUMN \"Phone\" varchar(20), DROP COLUMN name;\nCREATE INDEX CONCURRENTLY users_phone ON users (\"Phone\");\n",
    ),
    (
        "V3__orders.sql",
        "CREATE TABLE orders (id bigint PRIMARY KEY, user_id int REFERENCES users);\nSET lock_timeout = '1s';\nCREATE INDEX ON orders (user_id);\n",
    ),
    ("V4__gone.sql", "DROP TABLE \"Old Stuff\";\n"),
];

#[test]
fn what_plan_writes_is_what_execute_runs() {
    let shop = Shop::new();
    let folder = tempfile::tempdir().unwrap();
    let base = format!("{}CREATE TABLE \"Old Stuff\" (a int);\n", super::support::BASE);
    std::fs::write(folder.path().join("V1__users.sql"), &base).unwrap();
    for (name, text) in NEW {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    shop.sql("DROP TABLE users; DROP TABLE refinery_schema_history");
    let all = refinery::load_sql_migrations(folder.path()).unwrap();
    async_client(&shop, async |mut client| refinery::Runner::new(&all[..1]).run_async(&mut *client).await.unwrap());

    let (dir, file) = (folder.path().to_str().unwrap(), folder.path().join("release.plan"));
    let file = file.to_str().unwrap();
    shop.run(&["plan", dir, "--from", "1", "-o", file]).ends(0).says("release.plan");
    shop.run(&["execute", file, "--yes"]).ends(0).says("waits for you");
    let there = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname IN ('name', 'Phone') AND NOT attisdropped ORDER BY 1";
    assert_eq!(shop.rows(there), ["Phone", "name"], "both versions work in between");
    shop.run(&["promote", "--yes"]).ends(0).says("is complete.");
    assert_eq!(shop.rows(there), ["Phone"]);
    assert!(shop.rows("SELECT 'x' FROM pg_class WHERE relname = 'Old Stuff'").is_empty());
    let report =
        async_client(&shop, async |mut client| refinery::Runner::new(&all).run_async(&mut *client).await.unwrap());
    assert!(report.applied_migrations().is_empty());
}
