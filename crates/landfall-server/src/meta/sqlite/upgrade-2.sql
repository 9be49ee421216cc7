-- From version 2 to 3.

-- Revs are in the order of their changes by their length first. In one text: of two terms SQLite
-- would look up the first and walk to the second.
DROP INDEX revision_by_path;
CREATE INDEX revision_by_path ON revision (ns, path_key, char(length(rev)) || rev);
CREATE INDEX revision_by_file ON revision (ns, file_id, char(length(rev)) || rev);
