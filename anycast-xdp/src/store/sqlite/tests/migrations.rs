//! Databases of other versions.

use super::{
    super::open::{MIGRATIONS, migrate},
    *,
};

fn version(connection: &Connection) -> u32 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version")
}

#[tokio::test]
async fn newer_store_is_refused_and_left_alone() {
    let place = Directory::new();
    drop(place.open().await);
    for newer in [2, 99, -1] {
        let connection = Connection::open(place.file()).expect("open");
        connection.pragma_update(None, "user_version", newer).expect("newer");
        drop(connection);
        let error = refusal(&place.file()).await;
        assert!(error.to_string().contains("and this program knows 1"), "{error}");
        assert!(error.help().starts_with("start the program that wrote it, or a newer one"), "{}", error.help());
    }
}

#[tokio::test]
async fn older_store_is_migrated_whole_or_not_at_all() {
    let place = Directory::new();
    let store = place.open().await;
    commit(&store, None, "{}").await.expect("commit");
    drop(store);
    let mut connection = Connection::open(place.file()).expect("open");
    let [first] = MIGRATIONS;
    let broken = [first, "CREATE TABLE hosts (name TEXT)", "CREATE TABLE hosts (name TEXT)"];
    migrate(&mut connection, &broken).expect_err("twice the same table");
    assert_eq!(version(&connection), 1);
    connection.query_row("SELECT count(*) FROM hosts", [], |_| Ok(())).expect_err("rolled back");

    migrate(&mut connection, &broken[..2]).expect("migrate");
    assert_eq!(version(&connection), 2);
    migrate(&mut connection, &broken[..2]).expect("nothing to do");
    let revisions: u32 = connection.query_row("SELECT count(*) FROM revisions", [], |row| row.get(0)).expect("count");
    assert_eq!(revisions, 1, "what was there stays");
}
