//! What is at a target, above it, and beside it: all of it asked without knowing anything first.

use super::link::{Param, Statement};
use super::not_yet;
use crate::meta::MetaError;
use crate::meta::loads::{Place, Rename, Taken, Target, family};
use crate::meta::rows::{Entry, Node, Ns};
use landfall_protocol::{DisplayPath, PathKey};
use std::collections::HashMap;

/// Text after every text that begins with what is before it, but for those that go on with this
/// very character: no name that is tried does.
const AFTER_ALL: &str = "\u{10ffff}";

/// Columns of a node with its current revision, in the order that [`node`](super::read::node) reads.
macro_rules! node_columns {
    () => {
        "node.ns, node.path, node.journal, node.kind, node.id, node.rev,
         revision.content, revision.size, revision.hash,
         revision.client_modified, revision.server_modified"
    };
}

/// A node as [`node`](super::read::node) reads it.
macro_rules! node_query {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            node_columns!(),
            " FROM node LEFT JOIN revision
                  ON revision.ns = node.ns AND revision.rev = node.rev ",
            $rest
        )
    };
}

pub(super) use {node_columns, node_query};

/// The node of an id ($2), of all folders above it, and of the places below it whose keys go on
/// like this ($3).
const AROUND_ID: &str = concat!(
    "WITH RECURSIVE base AS (
         SELECT path_key, parent_key FROM node WHERE ns = $1 AND id = $2
     ), above AS (
         SELECT parent_key AS path_key FROM base
         UNION ALL
         SELECT node.parent_key FROM above
             JOIN node ON node.ns = $1 AND node.path_key = above.path_key
     ), wanted AS (
         SELECT path_key FROM above
         UNION ALL
         SELECT base.path_key || below.rest FROM base, unnest($3::text[]) AS below (rest)
     )
     SELECT ",
    node_columns!(),
    " FROM wanted JOIN node ON node.ns = $1 AND node.path_key = wanted.path_key
          LEFT JOIN revision ON revision.ns = node.ns AND revision.rev = node.rev"
);

pub(super) fn query<'a, const N: usize>(
    sql: &'static str,
    params: [Param<'a>; N],
) -> Statement<'a> {
    Statement {
        sql,
        params: params.into(),
        otherwise: MetaError::Damaged("a question divides by zero".into()),
    }
}

/// One more than are looked through.
const MOST: usize = Place::MOST_TAKEN + 1;

/// The names of a family in a folder.
pub(super) fn names<'a>(
    ns: Ns,
    folder: &PathKey,
    family: impl Into<String>,
    most: usize,
) -> Statement<'a> {
    query(
        "SELECT name_key, journal, kind FROM node
         WHERE ns = $1 AND parent_key = $2 AND name_key >= $3 AND name_key < $3 || $4
         ORDER BY name_key LIMIT $5",
        [
            Box::new(i64::from(ns.0)),
            Box::new(folder.as_str().to_owned()),
            Box::new(family.into()),
            Box::new(AFTER_ALL),
            Box::new(most as i64),
        ],
    )
}

/// What may be taken in the folder of a target, if it may be renamed.
pub(super) fn taken_at(
    ns: Ns,
    target: &Target,
    rename: Rename,
) -> Result<Option<Statement<'_>>, MetaError> {
    Ok(Some(match (target, rename) {
        (_, Rename::No) => return Ok(None),
        (Target::Path(path), _) => {
            let family = family(path.name(), rename);
            names(ns, &path.key().parent(), family, MOST)
        }
        (Target::Id { id, below }, Rename::File) if below.is_root() => query(
            "SELECT node.name_key, node.journal, node.kind FROM node AS base JOIN node
                 ON node.ns = base.ns AND node.parent_key = base.parent_key
                     AND node.name_key >= base.family AND node.name_key < base.family || $3
             WHERE base.ns = $1 AND base.id = $2
             ORDER BY node.name_key LIMIT $4",
            [
                Box::new(i64::from(ns.0)),
                Box::new(id.as_str()),
                Box::new(AFTER_ALL),
                Box::new(MOST as i64),
            ],
        ),
        (Target::Id { id, below }, _) if !below.is_root() => query(
            "SELECT node.name_key, node.journal, node.kind FROM node AS base JOIN node
                 ON node.ns = base.ns AND node.parent_key = base.path_key || $3
                     AND node.name_key >= $4 AND node.name_key < $4 || $5
             WHERE base.ns = $1 AND base.id = $2
             ORDER BY node.name_key LIMIT $6",
            [
                Box::new(i64::from(ns.0)),
                Box::new(id.as_str()),
                Box::new(below.key().parent().as_str().to_owned()),
                Box::new(family(below.name(), rename)),
                Box::new(AFTER_ALL),
                Box::new(MOST as i64),
            ],
        ),
        (Target::Id { .. }, _) => return Err(not_yet("a folder that is renamed by its id")),
    }))
}

/// What is at a target and above it.
pub(super) fn around(ns: Ns, target: &Target) -> Statement<'_> {
    let ns = i64::from(ns.0);
    let keys = |path: &DisplayPath| -> Vec<String> {
        let mut all: Vec<DisplayPath> = path.ancestors();
        all.push(path.clone());
        all.iter()
            .map(|path| path.key().as_str().to_owned())
            .collect()
    };
    match target {
        Target::Path(path) => query(
            node_query!("WHERE node.ns = $1 AND node.path_key = ANY ($2)"),
            [Box::new(ns), Box::new(keys(path))],
        ),
        Target::Id { id, below } => {
            let mut rests = vec![String::new()];
            if !below.is_root() {
                rests.extend(keys(below));
            }
            query(
                AROUND_ID,
                [Box::new(ns), Box::new(id.as_str()), Box::new(rests)],
            )
        }
    }
}

/// The place of a target, out of what is around it; `None`: its id is nowhere.
pub(super) fn place(target: &Target, around: Vec<Node>, taken: Vec<Taken>) -> Option<Place> {
    let path = match target {
        Target::Path(path) => path.clone(),
        Target::Id { id, below } => {
            let is_base = |node: &&Node| match &node.entry {
                Entry::File(file) => file.id == *id,
                Entry::Folder(folder) => folder == id,
                Entry::DeletedFile | Entry::DeletedFolder => false,
            };
            let base = around.iter().find(is_base)?;
            DisplayPath::parse(&format!("{}{below}", base.path)).ok()?
        }
    };
    let mut nodes: HashMap<PathKey, Node> =
        around.into_iter().map(|node| (node.key(), node)).collect();
    let ancestors = path.ancestors().into_iter().map(|ancestor| {
        let node = nodes.remove(&ancestor.key());
        (ancestor, node)
    });
    let ancestors = ancestors.collect();
    Some(Place {
        target: nodes.remove(&path.key()),
        path,
        ancestors,
        taken,
    })
}
