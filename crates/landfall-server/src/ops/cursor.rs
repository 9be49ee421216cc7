//! Cursors of listings: authenticated, and meaningless to whom they were not given.

use super::{Caller, Service};
use crate::meta::Listing;
use crate::meta::rows::{JournalId, Ns};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use landfall_protocol::PathKey;
use landfall_protocol::types::folders::ListFolderCursor;
use sha2::Sha256;

/// A place in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// What is listed.
    pub(super) listing: Listing,
    /// How many entries make a page.
    pub(super) limit: u64,
    /// Where the listing goes on.
    pub(super) position: Position,
    /// The last change before the first page: changes after it come when the listing is through.
    pub(super) journal: JournalId,
}

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// After this place, in the order of the keys.
    After(PathKey),
    /// Through the changes.
    Changes,
}

/// The layout of a cursor. Cursors outlive a build; another layout needs another number.
const VERSION: u8 = 2;
const MAC: usize = 16;

impl Service {
    /// The cursor as the client sees it.
    pub(super) fn seal(&self, cursor: &Cursor) -> ListFolderCursor {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&cursor.listing.ns.0.to_le_bytes());
        bytes.push(
            u8::from(cursor.listing.recursive)
                | u8::from(cursor.listing.deleted) << 1
                | u8::from(cursor.position == Position::Changes) << 2,
        );
        bytes.extend_from_slice(&(cursor.limit as u16).to_le_bytes());
        bytes.extend_from_slice(&cursor.journal.0.to_le_bytes());
        let folder = cursor.listing.folder.as_str();
        bytes.extend_from_slice(&(folder.len() as u16).to_le_bytes());
        bytes.extend_from_slice(folder.as_bytes());
        if let Position::After(key) = &cursor.position {
            bytes.extend_from_slice(key.as_str().as_bytes());
        }
        let mac = self.mac(&bytes);
        bytes.extend_from_slice(&mac.finalize().into_bytes()[..MAC]);
        ListFolderCursor::from_stored(BASE64URL_NOPAD.encode(&bytes))
    }

    /// The cursor back; `None` if it was not made by this service for this caller.
    pub(super) fn unseal_for(&self, caller: &Caller, cursor: &ListFolderCursor) -> Option<Cursor> {
        self.unseal(cursor)
            .filter(|cursor| cursor.listing.ns == caller.tree())
    }

    /// The cursor back; `None` if it was not made by this service.
    pub(super) fn unseal(&self, cursor: &ListFolderCursor) -> Option<Cursor> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_str().as_bytes()).ok()?;
        let (bytes, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        self.mac(bytes).verify_truncated_left(mac).ok()?;

        let bytes = bytes.strip_prefix(&[VERSION])?;
        let (ns, bytes) = bytes.split_first_chunk()?;
        let ([flags], bytes) = bytes.split_first_chunk()?;
        let (limit, bytes) = bytes.split_first_chunk()?;
        let (journal, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (folder, after) = bytes.split_at_checked(u16::from_le_bytes(*length).into())?;
        let key = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).ok()?;
            Some(PathKey::from_stored(text.to_owned()))
        };
        Some(Cursor {
            listing: Listing {
                ns: Ns(u32::from_le_bytes(*ns)),
                folder: key(folder)?,
                recursive: flags & 1 != 0,
                deleted: flags & 2 != 0,
            },
            limit: u16::from_le_bytes(*limit).into(),
            position: if flags & 4 != 0 {
                Position::Changes
            } else {
                Position::After(key(after)?)
            },
            journal: JournalId(u64::from_le_bytes(*journal)),
        })
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.cursor_key).expect("a key may have any length");
        mac.update(bytes);
        mac
    }
}
