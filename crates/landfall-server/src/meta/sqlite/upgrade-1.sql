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

CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The name may be missing now.
CREATE TABLE account_2 (
    id TEXT PRIMARY KEY,
    name TEXT UNIQUE,
    display_name TEXT,
    ns INTEGER NOT NULL REFERENCES namespace,
    created INTEGER NOT NULL,
    suspended INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO account_2 SELECT id, name, display_name, ns, created, suspended FROM account;
DROP TABLE account;
ALTER TABLE account_2 RENAME TO account;

-- Without a reference that would have all replays looked through when an account goes.
CREATE TABLE replay_2 (
    session TEXT PRIMARY KEY REFERENCES session,
    account TEXT NOT NULL,
    end INTEGER NOT NULL,
    commit_info TEXT NOT NULL,
    ns INTEGER NOT NULL REFERENCES namespace,
    path TEXT NOT NULL,
    rev TEXT NOT NULL,
    committed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO replay_2
SELECT session, account, end, commit_info, ns, path, rev, committed FROM replay;
DROP TABLE replay;
ALTER TABLE replay_2 RENAME TO replay;
CREATE INDEX replay_by_revision ON replay (ns, rev);

CREATE INDEX token_by_account ON token (account);
CREATE INDEX session_by_account ON session (account, state);
CREATE INDEX job_by_account ON job (account);

-- Aborted sessions left contents behind that nobody refers to.
INSERT INTO orphan (content)
SELECT DISTINCT content FROM extent
WHERE NOT EXISTS (SELECT 1 FROM session WHERE session.content = extent.content)
    AND NOT EXISTS (SELECT 1 FROM revision WHERE revision.content = extent.content)
    AND NOT EXISTS (SELECT 1 FROM orphan WHERE orphan.content = extent.content);
