//! The version of a file: a new one is made, an older one is brought up to date, and one that
//! this program doesn't understand is refused.

use super::OpenError;
use landfall_protocol::FOLDING_VERSION;
use rusqlite::{OptionalExtension, Transaction};
use std::path::Path;

/// What makes a version the next one, from version 1 on.
const UPGRADES: [&str; 2] = [include_str!("upgrade-1.sql"), include_str!("upgrade-2.sql")];

/// The version of `schema.sql`.
const VERSION: u32 = 1 + UPGRADES.len() as u32;

/// Makes the file one of this version.
pub(super) fn prepare(transaction: &Transaction<'_>, file: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        file: file.to_owned(),
        source,
    };
    let found: u32 = transaction
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(sqlite)?;
    match found {
        0 => make(transaction).map_err(sqlite)?,
        VERSION => {}
        found if found > VERSION => {
            return Err(OpenError::Newer {
                file: file.to_owned(),
                found,
                known: VERSION,
            });
        }
        found => {
            for upgrade in &UPGRADES[found as usize - 1..] {
                transaction.execute_batch(upgrade).map_err(sqlite)?;
            }
            let broken = transaction
                .query_row("PRAGMA foreign_key_check", [], |row| row.get(0))
                .optional()
                .map_err(sqlite)?;
            if let Some(table) = broken {
                return Err(OpenError::Reference {
                    file: file.to_owned(),
                    table,
                });
            }
        }
    }
    if found != VERSION {
        transaction
            .pragma_update(None, "user_version", VERSION)
            .map_err(sqlite)?;
    }
    let folding: String = transaction
        .query_row(
            "SELECT value FROM setting WHERE name = 'folding'",
            [],
            |row| row.get(0),
        )
        .map_err(sqlite)?;
    if folding != FOLDING_VERSION.to_string() {
        return Err(OpenError::Folding {
            file: file.to_owned(),
            found: folding,
            known: FOLDING_VERSION,
        });
    }
    Ok(())
}

fn make(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.execute(
        "INSERT INTO setting (name, value) VALUES ('folding', ?1)",
        [FOLDING_VERSION.to_string()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::VERSION;
    use crate::meta::Loads;
    use crate::meta::rows::ContentId;
    use crate::meta::sqlite::open::for_writing;
    use crate::meta::sqlite::{OpenError, load::Rows};
    use crate::sys::Failpoints;
    use rusqlite::Connection;
    use std::path::Path;

    fn open(file: &Path) -> Result<Connection, OpenError> {
        for_writing(file, &Failpoints::default())
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let connection = open(&file).unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        drop(connection);
        let error = open(&file).unwrap_err();
        assert!(
            matches!(error, OpenError::Newer { found: 999, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_file_with_other_folding_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let connection = open(&file).unwrap();
        connection
            .execute("UPDATE setting SET value = '99'", [])
            .unwrap();
        drop(connection);
        let error = open(&file).unwrap_err();
        assert!(matches!(error, OpenError::Folding { .. }), "{error}");
    }

    /// A file as version 1 made it, with a row in each table.
    fn first_version(file: &Path) -> Connection {
        let connection = Connection::open(file).unwrap();
        connection
            .execute_batch(concat!(
                include_str!("schema-1.sql"),
                include_str!("rows-1.sql"),
                "PRAGMA user_version = 1;"
            ))
            .unwrap();
        connection
    }

    /// Every table with its columns, indexes and references, however its text is written.
    fn shape(connection: &Connection) -> Vec<String> {
        let sql = "
            SELECT 'column ' || t.name || ' ' || concat_ws(' ', c.name, c.type, c.\"notnull\", c.pk, c.dflt_value)
            FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'
            UNION ALL
            SELECT 'index ' || concat_ws(' ', t.name, i.name, i.\"unique\", i.origin, i.partial, c.seqno, c.name)
            FROM sqlite_schema t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
            WHERE t.type = 'table'
            UNION ALL
            SELECT 'expression ' || sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE '%||%'
            UNION ALL
            SELECT 'reference ' || concat_ws(' ', t.name, f.seq, f.\"table\", f.\"from\", f.\"to\")
            FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'
            ORDER BY 1";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_of_the_first_version_becomes_one_like_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        drop(first_version(&old));
        let connection = open(&old).unwrap();
        let fresh = shape(&open(&new).unwrap());
        assert!(fresh.len() > 80, "{fresh:?}");
        assert_eq!(shape(&connection), fresh);
        let version: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, VERSION);
        drop(connection);
        open(&old).unwrap();
    }

    #[test]
    fn a_file_of_the_second_version_becomes_one_like_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let second = first_version(&old);
        second.pragma_update(None, "foreign_keys", false).unwrap();
        second.execute_batch(include_str!("upgrade-1.sql")).unwrap();
        second.pragma_update(None, "user_version", 2).unwrap();
        drop(second);
        let connection = open(&old).unwrap();
        assert_eq!(shape(&connection), shape(&open(&new).unwrap()));
    }

    #[test]
    fn a_file_of_the_first_version_keeps_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let old = first_version(&file);
        let count = |connection: &Connection| -> Vec<(String, i64)> {
            let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
            let mut statement = connection.prepare(names).unwrap();
            let names = statement.query_map([], |row| row.get::<_, String>(0));
            names
                .unwrap()
                .map(Result::unwrap)
                .map(|name| {
                    let sql = format!("SELECT count(*) FROM {name}");
                    let rows = connection.query_row(&sql, [], |row| row.get(0));
                    (name, rows.unwrap())
                })
                .collect()
        };
        let before = count(&old);
        assert!(before.iter().all(|(_, rows)| *rows > 0), "{before:?}");
        drop(old);
        let connection = open(&file).unwrap();
        let after = count(&connection);
        for (table, rows) in before {
            // What an aborted session left behind is found again.
            let more = i64::from(table == "orphan");
            assert!(
                after.contains(&(table.clone(), rows + more)),
                "{table}: {after:?}"
            );
        }
        let mut rows = Rows {
            connection: &connection,
        };
        let account = rows.account_by_name("panda").unwrap().expect("the account");
        assert_eq!(account.display_name.as_deref(), Some("Panda"));
        assert_eq!(rows.tokens(&account.id).unwrap().len(), 1);
        assert_eq!(rows.sessions(&account.id).unwrap().len(), 1);
        let orphans = rows.orphans(9).unwrap();
        assert!(
            orphans.contains(&ContentId("left behind".into())),
            "{orphans:?}"
        );
    }

    #[test]
    fn an_old_file_with_a_broken_reference_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("metadata.sqlite");
        let old = first_version(&file);
        old.execute_batch("PRAGMA foreign_keys = OFF; UPDATE token SET account = 'nobody'")
            .unwrap();
        drop(old);
        let error = open(&file).unwrap_err();
        assert!(error.to_string().contains("a row of token"), "{error}");
    }
}
