-- What append and finish need of the metadata. As in SQLite's schema, times are microseconds
-- since 1970, offsets and lengths bytes, and ids are made by the server. COLLATE "C": text is
-- compared byte by byte, whatever the language of the database is.

CREATE TABLE IF NOT EXISTS setting (
    name TEXT COLLATE "C" PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

CREATE TABLE IF NOT EXISTS namespace (
    ns BIGINT PRIMARY KEY,
    journal BIGINT NOT NULL,
    used BIGINT NOT NULL,
    quota BIGINT
);

CREATE TABLE IF NOT EXISTS account (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" UNIQUE,
    display_name TEXT COLLATE "C",
    ns BIGINT NOT NULL REFERENCES namespace,
    created BIGINT NOT NULL,
    suspended BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS session (
    id TEXT COLLATE "C" PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL REFERENCES account,
    created BIGINT NOT NULL,
    state BIGINT NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    length BIGINT NOT NULL,
    hasher BYTEA NOT NULL,
    reach BIGINT
);

CREATE INDEX IF NOT EXISTS session_by_account ON session (account, state);
CREATE INDEX IF NOT EXISTS session_by_content ON session (content);

CREATE TABLE IF NOT EXISTS writer (
    id TEXT COLLATE "C" PRIMARY KEY,
    heartbeat BIGINT NOT NULL,
    fenced BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS blob (
    id TEXT COLLATE "C" PRIMARY KEY,
    length BIGINT NOT NULL,
    checksums BYTEA NOT NULL,
    inline BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS blob_bytes (
    id TEXT COLLATE "C" PRIMARY KEY REFERENCES blob,
    bytes BYTEA NOT NULL
);

CREATE TABLE IF NOT EXISTS extent (
    content TEXT COLLATE "C" NOT NULL,
    start BIGINT NOT NULL,
    length BIGINT NOT NULL,
    blob TEXT COLLATE "C" NOT NULL REFERENCES blob,
    blob_start BIGINT NOT NULL,
    digests BYTEA,
    PRIMARY KEY (content, start)
);

CREATE INDEX IF NOT EXISTS extent_by_blob ON extent (blob);

CREATE TABLE IF NOT EXISTS revision (
    ns BIGINT NOT NULL REFERENCES namespace,
    rev TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    path_key TEXT COLLATE "C" NOT NULL,
    file_id TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    client_modified BIGINT NOT NULL,
    server_modified BIGINT NOT NULL,
    ended BIGINT,
    PRIMARY KEY (ns, rev)
);

CREATE TABLE IF NOT EXISTS node (
    ns BIGINT NOT NULL REFERENCES namespace,
    path_key TEXT COLLATE "C" NOT NULL,
    parent_key TEXT COLLATE "C" NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    -- What all names begin with that autorename may give a file of this name. Whoever writes to an
    -- id doesn't know the name, and would have to ask for it before asking for these.
    family TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    journal BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    id TEXT COLLATE "C",
    rev TEXT COLLATE "C",
    PRIMARY KEY (ns, path_key),
    CHECK ((kind IN (0, 1)) = (id IS NOT NULL)),
    CHECK ((kind = 0) = (rev IS NOT NULL)),
    FOREIGN KEY (ns, rev) REFERENCES revision (ns, rev)
);

CREATE UNIQUE INDEX IF NOT EXISTS node_by_name ON node (ns, parent_key, name_key);
CREATE UNIQUE INDEX IF NOT EXISTS node_by_journal ON node (ns, journal);
CREATE UNIQUE INDEX IF NOT EXISTS node_by_id ON node (ns, id) WHERE id IS NOT NULL;

CREATE TABLE IF NOT EXISTS replay (
    session TEXT COLLATE "C" PRIMARY KEY REFERENCES session,
    account TEXT COLLATE "C" NOT NULL,
    "end" BIGINT NOT NULL,
    commit_info TEXT COLLATE "C" NOT NULL,
    ns BIGINT NOT NULL REFERENCES namespace,
    path TEXT COLLATE "C" NOT NULL,
    rev TEXT COLLATE "C" NOT NULL,
    committed BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS notification (
    ns BIGINT NOT NULL REFERENCES namespace,
    journal BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event BIGINT NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    rev TEXT COLLATE "C",
    PRIMARY KEY (ns, journal)
);
