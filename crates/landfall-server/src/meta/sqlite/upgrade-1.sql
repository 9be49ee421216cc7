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

CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Aborted sessions left contents behind that nobody refers to.
INSERT INTO orphan (content)
SELECT DISTINCT content FROM extent
WHERE NOT EXISTS (SELECT 1 FROM session WHERE session.content = extent.content)
    AND NOT EXISTS (SELECT 1 FROM revision WHERE revision.content = extent.content)
    AND NOT EXISTS (SELECT 1 FROM orphan WHERE orphan.content = extent.content);
