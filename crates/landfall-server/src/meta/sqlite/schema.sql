-- The metadata of one data directory. Times are microseconds since 1970, offsets and lengths
-- bytes. Ids are made by the server, never by the database. Text is compared byte by byte.

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE namespace (
    ns INTEGER PRIMARY KEY,
    journal INTEGER NOT NULL,
    used INTEGER NOT NULL,
    quota INTEGER
) STRICT;

-- An account without a name was deleted; what belongs to it goes bit by bit.
CREATE TABLE account (
    id TEXT PRIMARY KEY,
    name TEXT UNIQUE,
    display_name TEXT,
    ns INTEGER NOT NULL REFERENCES namespace,
    created INTEGER NOT NULL,
    suspended INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A token is kept as its SHA-256 only.
CREATE TABLE token (
    hash BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES account,
    scopes TEXT NOT NULL,
    expires INTEGER,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX token_by_account ON token (account);

CREATE TABLE session (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account,
    created INTEGER NOT NULL,
    state INTEGER NOT NULL,
    content TEXT NOT NULL,
    -- Bytes that it holds.
    length INTEGER NOT NULL,
    -- The content hasher after them; empty if they come in any order.
    hasher BLOB NOT NULL,
    -- NULL: the bytes come in order. Otherwise where the last piece ends.
    reach INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_account ON session (account, state);
CREATE INDEX session_by_age ON session (created);
CREATE INDEX session_by_content ON session (content);

-- The account is the session's.
CREATE TABLE replay (
    session TEXT PRIMARY KEY REFERENCES session,
    account TEXT NOT NULL,
    end INTEGER NOT NULL,
    commit_info TEXT NOT NULL,
    ns INTEGER NOT NULL REFERENCES namespace,
    path TEXT NOT NULL,
    rev TEXT NOT NULL,
    committed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The bytes of one request. Small ones are in blob_bytes, the others in a file of this name.
CREATE TABLE blob (
    id TEXT PRIMARY KEY,
    length INTEGER NOT NULL,
    checksums BLOB NOT NULL,
    inline INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Apart from blob, so that looking through blobs doesn't read bytes.
CREATE TABLE blob_bytes (
    id TEXT PRIMARY KEY REFERENCES blob,
    bytes BLOB NOT NULL
) STRICT;

-- A process that makes blobs. Once fenced, no transaction can refer to a new blob of it.
CREATE TABLE writer (
    id TEXT PRIMARY KEY,
    heartbeat INTEGER NOT NULL,
    fenced INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What one process at a time does.
CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A batch that is worked off in the background. Argument and outcome are the API's JSON.
CREATE TABLE job (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account,
    created INTEGER NOT NULL,
    argument TEXT NOT NULL,
    outcome TEXT,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX job_by_account ON job (account);
CREATE INDEX job_by_age ON job (created);

-- What a user's clients are told of: changes that were not muted. event: 0 file added,
-- 1 file changed, 2 folder added, 3 file deleted, 4 folder deleted.
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

-- Contents that nothing refers to any more; their extents go bit by bit.
CREATE TABLE orphan (
    content TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Files that nothing refers to any more; they go when no reader can be at them.
CREATE TABLE doomed (
    blob TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX doomed_by_age ON doomed (since);

-- As long as one of these stands, files that nothing refers to stay too: a backup may be about
-- to copy them. It ends by itself unless it is prolonged.
CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE extent (
    content TEXT NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    blob TEXT NOT NULL REFERENCES blob,
    blob_start INTEGER NOT NULL,
    -- The digests of its blocks, if the bytes came in any order.
    digests BLOB,
    PRIMARY KEY (content, start)
) STRICT, WITHOUT ROWID;

CREATE INDEX extent_by_blob ON extent (blob);

CREATE TABLE revision (
    ns INTEGER NOT NULL REFERENCES namespace,
    rev TEXT NOT NULL,
    path TEXT NOT NULL,
    path_key TEXT NOT NULL,
    file_id TEXT NOT NULL,
    content TEXT NOT NULL,
    size INTEGER NOT NULL,
    hash BLOB NOT NULL,
    client_modified INTEGER NOT NULL,
    server_modified INTEGER NOT NULL,
    -- When it stopped being the current one.
    ended INTEGER,
    PRIMARY KEY (ns, rev)
) STRICT, WITHOUT ROWID;

-- Revs are in the order of their changes by their length first. In one text: of two terms SQLite
-- would look up the first and walk to the second.
CREATE INDEX revision_by_path ON revision (ns, path_key, char(length(rev)) || rev);
CREATE INDEX revision_by_file ON revision (ns, file_id, char(length(rev)) || rev);
CREATE INDEX revision_by_content ON revision (content);
CREATE INDEX revision_by_end ON revision (ended, ns, rev) WHERE ended IS NOT NULL;

-- One row for each place that was ever used. kind: 0 file, 1 folder, 2 deleted file,
-- 3 deleted folder. A live row has an id, a file also its current revision.
CREATE TABLE node (
    ns INTEGER NOT NULL REFERENCES namespace,
    path_key TEXT NOT NULL,
    parent_key TEXT NOT NULL,
    name_key TEXT NOT NULL,
    path TEXT NOT NULL,
    journal INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id TEXT,
    rev TEXT,
    PRIMARY KEY (ns, path_key),
    CHECK ((kind IN (0, 1)) = (id IS NOT NULL)),
    CHECK ((kind = 0) = (rev IS NOT NULL)),
    FOREIGN KEY (ns, rev) REFERENCES revision (ns, rev)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX node_by_name ON node (ns, parent_key, name_key);
CREATE UNIQUE INDEX node_by_journal ON node (ns, journal);
CREATE UNIQUE INDEX node_by_id ON node (ns, id) WHERE id IS NOT NULL;
-- For the foreign key: who removes a revision must not look through the whole tree.
CREATE UNIQUE INDEX node_by_revision ON node (ns, rev);
CREATE INDEX replay_by_revision ON replay (ns, rev);
