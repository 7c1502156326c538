//! The team's own tool finds its history as if it had written it.

use super::support::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn the_asynchronous_runner_has_nothing_to_do() {
    let shop = Shop::new();
    let shop = tokio::task::spawn_blocking(move || {
        shop.execute(&shop.plan(), &[]).ends(0);
        shop
    })
    .await
    .unwrap();
    let cluster = super::support::cluster();
    let mut config = tokio_postgres::Config::new();
    config.host_path(&cluster.sockets).port(cluster.port).user("postgres").dbname(&shop.database);
    let (mut client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let migrations = refinery::load_sql_migrations(shop.folder.path()).unwrap();
    let report = refinery::Runner::new(&migrations).run_async(&mut client).await.unwrap();
    assert!(report.applied_migrations().is_empty());
}
