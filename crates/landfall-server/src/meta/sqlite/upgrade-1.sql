-- From version 1 to 2.

CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE session ADD COLUMN reach INTEGER;
ALTER TABLE extent ADD COLUMN digests BLOB;

CREATE TABLE job (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account,
    created INTEGER NOT NULL,
    argument TEXT NOT NULL,
    outcome TEXT,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX job_by_age ON job (created);

CREATE TABLE notification (
    ns INTEGER NOT NULL REFERENCES namespace,
    journal INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event INTEGER NOT NULL,
    path TEXT NOT NULL,
    rev TEXT,
    PRIMARY KEY (ns, journal)
) STRICT, WITHOUT ROWID;

CREATE INDEX notification_by_age ON notification (at);

CREATE INDEX doomed_by_age ON doomed (since);
CREATE UNIQUE INDEX node_by_revision ON node (ns, rev);
DROP INDEX revision_by_end;
CREATE INDEX revision_by_end ON revision (ended, ns, rev) WHERE ended IS NOT NULL;
