//! Whether the account has room for what is to be sent.

use super::engine::Engine;
use super::existing::Existing;
use super::plan::Plan;
use super::verdict::PutFailure;
use landfall_protocol::types::users::SpaceAllocation;

/// Bytes from which on it is worth a question. Ours: what is less is refused soon enough.
const WORTH_ASKING: u64 = 64 * 1024 * 1024;

/// Holds the files that are not there yet against the space that is left. Those that replace
/// others are not counted: what they take more is not known before.
pub(super) async fn check(
    engine: &Engine,
    plan: &Plan,
    existing: &Existing,
) -> Result<(), PutFailure> {
    let new = (0..plan.len()).filter(|index| existing.at(&plan.there(*index)).is_none());
    let needed = new.fold(0, |sum: u64, index| sum.saturating_add(plan.size(index)));
    if needed < WORTH_ASKING {
        return Ok(());
    }
    let what = "asking for the space that is left";
    let usage = engine.repeat(what, || engine.client().get_space_usage());
    // A token need not have the right to ask; the commits will tell then.
    let Ok(reply) = usage.await else {
        return Ok(());
    };
    let (used, allocated) = match reply.value.allocation {
        SpaceAllocation::Individual(own) => (reply.value.used, own.allocated),
        SpaceAllocation::Team(team) => (team.used, team.allocated),
        // A kind that is newer than this code.
        SpaceAllocation::Other => return Ok(()),
    };
    let free = allocated.saturating_sub(used);
    match needed > free {
        true => Err(PutFailure::NoRoom { needed, free }),
        false => Ok(()),
    }
}
