//! Moving and copying.

use super::files::{LookupError, Metadata, WriteError};
use crate::path::WritePathOrId;
use crate::{wire_struct, wire_union};

wire_struct! {
    /// Argument of `move_v2` and `copy_v2`, and of their first versions (Spec:
    /// `files.RelocationArg`).
    pub struct RelocationArg {
        /// What is moved or copied.
        from_path: WritePathOrId,
        /// Where to.
        to_path: WritePathOrId,
        /// Without effect (Spec: deprecated).
        allow_shared_folder: bool = false,
        /// On a conflict, try another name.
        autorename: bool = false,
        /// Let a move give what is moved to another owner.
        allow_ownership_transfer: bool = false,
    }
}

impl RelocationArg {
    /// From one path to another, with the specification's defaults.
    pub fn new(from_path: WritePathOrId, to_path: WritePathOrId) -> Self {
        Self {
            from_path,
            to_path,
            allow_shared_folder: false,
            autorename: false,
            allow_ownership_transfer: false,
        }
    }
}

wire_struct! {
    /// Answer of `move_v2` and `copy_v2` (Spec: `files.RelocationResult`).
    pub struct RelocationResult {
        /// What is at the target now.
        metadata: Metadata,
    }
}

wire_union! {
    /// Spec: `files.RelocationError`.
    pub open union RelocationError {
        /// The source could not be read.
        FromLookup(LookupError) under = "from_lookup",
        /// The source could not be written, as a move must.
        FromWrite(WriteError) under = "from_write",
        /// The target could not be written.
        To(WriteError) under = "to",
        /// A shared folder can't be copied.
        CantCopySharedFolder = "cant_copy_shared_folder",
        /// A shared folder can't be inside of another one.
        CantNestSharedFolder = "cant_nest_shared_folder",
        /// A folder can't be moved into itself.
        CantMoveFolderIntoItself = "cant_move_folder_into_itself",
        /// More than [`limits::SUBTREE`](crate::limits::SUBTREE) entries at once.
        TooManyFiles = "too_many_files",
        /// Source and target are the same, or one is in the other.
        DuplicatedOrNestedPaths = "duplicated_or_nested_paths",
        /// It would get another owner, and the argument doesn't allow that.
        CantTransferOwnership = "cant_transfer_ownership",
        /// The account is full.
        InsufficientQuota = "insufficient_quota",
        /// It went wrong halfway: look what was done.
        InternalError = "internal_error",
        /// A shared folder can't go there.
        CantMoveSharedFolder = "cant_move_shared_folder",
        /// The vault doesn't take it.
        CantMoveIntoVault(MoveIntoVaultError) under = "cant_move_into_vault",
        /// The family's folder doesn't take it.
        CantMoveIntoFamily(MoveIntoFamilyError) under = "cant_move_into_family",
    }
}

wire_union! {
    /// Why the vault doesn't take something (Spec: `files.MoveIntoVaultError`).
    pub open union MoveIntoVaultError {
        /// A shared folder.
        IsSharedFolder = "is_shared_folder",
    }
}

wire_union! {
    /// Why the family's folder doesn't take something (Spec: `files.MoveIntoFamilyError`).
    pub open union MoveIntoFamilyError {
        /// A shared folder.
        IsSharedFolder = "is_shared_folder",
    }
}
