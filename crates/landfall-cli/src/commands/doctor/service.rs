//! What an upload needs of the service: that it is there, knows the token, and has room.

use super::Report;
use crate::exit::{Exit, Result, ToExit};
use crate::human::size;
use crate::paths::RemotePath;
use landfall::{CallError, Client, Failure, Probe};
use landfall_protocol::routes::Host;
use landfall_protocol::types::auth::RootInfo;
use landfall_protocol::types::batches::PollArg;
use landfall_protocol::types::folders::{ListFolderArg, PageLimit};
use landfall_protocol::types::users::{SpaceAllocation, SpaceUsage};
use landfall_protocol::{AsyncJobId, Timestamp};
use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) async fn check(report: &mut Report, client: &Client) -> Result<()> {
    if !reachable(report, client).await? {
        // Nothing more can be asked.
        return Ok(());
    }
    if account(report, client).await? {
        rights(report, client).await?;
        space(report, client).await?;
    }
    Ok(())
}

/// Whether all hosts of an upload answer as the API does; on the way, what the clock says.
async fn reachable(report: &mut Report, client: &Client) -> Result<bool> {
    let hosts: &[Host] = match client.endpoint().is_one_address() {
        true => &[Host::Api],
        false => &[Host::Api, Host::Content],
    };
    let mut answered = Vec::new();
    let mut all = true;
    for host in hosts {
        match client.probe(*host).await {
            Ok(probe) if probe.is_the_apis() => {
                report.ok("connection", format_args!("{} answers", probe.host))?;
                answered.push(probe);
            }
            Ok(Probe { host, status, .. }) if status == 429 || status >= 500 => {
                let text =
                    format!("{host} is there and has trouble (status {status}); try again later");
                report.problem("connection", Exit::Temporary, text)?;
                all = false;
            }
            Ok(Probe { host, status, .. }) => {
                let text = format!(
                    "{host} answers with status {status}, as no service of this API does; check \
                     the address, and what may be between: a proxy, or a network's login page"
                );
                report.problem("connection", Exit::Other, text)?;
                all = false;
            }
            Err(fault) => {
                report.problem("connection", fault.exit(), fault)?;
                all = false;
            }
        }
    }
    if let Some(probe) = answered.first() {
        clock(report, probe)?;
    }
    Ok(all)
}

/// Seconds by which clocks may differ: less is the network, more is a clock that nobody sets.
const DIFFERENCE: u64 = 5 * 60;

fn clock(report: &mut Report, probe: &Probe) -> Result<()> {
    let host = &probe.host;
    let Some(theirs) = probe.date else {
        return report.ok("clock", format_args!("{host} doesn't say what time it has"));
    };
    let ours = SystemTime::now().duration_since(UNIX_EPOCH);
    let ours = ours.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    });
    let difference = Timestamp::from_unix_seconds(ours).unix_seconds() - theirs.unix_seconds();
    let (size, word) = match difference {
        0.. => (difference.unsigned_abs(), "ahead of"),
        _ => (difference.unsigned_abs(), "behind"),
    };
    if size > DIFFERENCE {
        let text = format!(
            "this machine is {} minutes {word} {host}; set its clock, or certificates and tokens \
             may seem invalid",
            size / 60
        );
        return report.warning("clock", text);
    }
    report.ok("clock", format_args!("as {host} has it"))
}

/// Whether the token is good, and whose it is.
async fn account(report: &mut Report, client: &Client) -> Result<bool> {
    match client.get_current_account().await {
        Ok(reply) => {
            let account = reply.value;
            let who = format!("{} <{}>", account.name.display_name, account.email);
            if account.disabled {
                let text = format!("of {who}, whose account is disabled; ask its administrator");
                report.problem("token", Exit::Auth, text)?;
                return Ok(false);
            }
            report.ok("token", format_args!("good, of {who}"))?;
            root(report, &account.root_info)?;
        }
        Err(error) if lacks_scope(&error) => {
            let text = format!("good, but it can't be told whose: {}", error.why());
            report.warning("token", text)?;
        }
        Err(error) => {
            let advice = match error.exit() {
                Exit::Auth => "; give another by --token-file FILE or LANDFALL_TOKEN",
                _ => "",
            };
            let text = format!("{}{advice}", error.why());
            report.problem("token", error.exit(), text)?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// What paths are relative to.
fn root(report: &mut Report, info: &RootInfo) -> Result<()> {
    match info {
        RootInfo::User(user) => {
            let text = format!("paths begin in the namespace {}", user.home_namespace_id);
            report.ok("root", text)
        }
        RootInfo::Team(team) => {
            let text = format!(
                "paths begin in the member's own folder {} (namespace {}), not in the team's \
                 (namespace {}): name that as ns:{0}/…",
                team.home_path, team.home_namespace_id, team.root_namespace_id,
            );
            report.ok("root", text)
        }
        _ => report.ok("root", "of a kind that this version doesn't know"),
    }
}

/// Whether the token may do what uploads need. Both questions only read: one is about a job that
/// nobody began, but the right to ask it is the right to upload.
async fn rights(report: &mut Report, client: &Client) -> Result<()> {
    let nobodys = PollArg {
        async_job_id: AsyncJobId::from_stored("landfall-doctor"),
    };
    let upload = client.upload_session_finish_batch_check(&nobodys).await;
    let root = ListFolderArg {
        path: RemotePath::new("/").to_list()?,
        recursive: false,
        include_media_info: false,
        include_deleted: false,
        include_has_explicit_shared_members: false,
        include_mounted_folders: true,
        limit: Some(PageLimit::new(1)),
        shared_link: None,
        include_property_groups: None,
        include_non_downloadable_files: true,
        include_restorable_info: false,
    };
    let look = client.list_folder(&root).await;
    let mut lacking = Vec::new();
    let mut unknown = Vec::new();
    for right in [right(upload), right(look)] {
        match right {
            Right::Given => {}
            Right::Lacking(why) => lacking.push(why),
            Right::Unknown(why) => unknown.push(why),
        }
    }
    if !lacking.is_empty() {
        let text = format!("{}; make a token that may do it", lacking.join("; "));
        return report.problem("rights", Exit::Auth, text);
    }
    if !unknown.is_empty() {
        return report.warning("rights", format_args!("unknown: {}", unknown.join("; ")));
    }
    report.ok("rights", "to upload, and to look at what is there")
}

/// Whether the token may make a call.
enum Right {
    Given,
    Lacking(String),
    Unknown(String),
}

/// What an answer says of the right to ask. An error of the route comes after that.
fn right<T, E: Debug>(answer: std::result::Result<T, CallError<E>>) -> Right {
    match answer {
        Ok(_) => Right::Given,
        Err(error) if lacks_scope(&error) => Right::Lacking(error.why()),
        Err(error) => match error.failure() {
            Failure::Route { .. } | Failure::Unfamiliar(_) => Right::Given,
            _ => Right::Unknown(error.why()),
        },
    }
}

async fn space(report: &mut Report, client: &Client) -> Result<()> {
    match client.get_space_usage().await {
        Ok(reply) => {
            let used = size(reply.value.used);
            match free(&reply.value) {
                Some(0) => {
                    let text = format!("{used} used, and nothing free; make room or get more");
                    report.problem("space", Exit::Space, text)
                }
                Some(free) => report.ok("space", format_args!("{used} used, {} free", size(free))),
                None => report.ok("space", format_args!("{used} used")),
            }
        }
        Err(error) => report.warning("space", format_args!("unknown: {}", error.why())),
    }
}

/// Bytes that can still be stored; nothing, if it isn't known who the space belongs to.
fn free(usage: &SpaceUsage) -> Option<u64> {
    match &usage.allocation {
        SpaceAllocation::Individual(own) => Some(own.allocated.saturating_sub(usage.used)),
        SpaceAllocation::Team(team) => {
            let of_team = team.allocated.saturating_sub(team.used);
            let own = team
                .user_within_team_space_allocated
                .saturating_sub(team.user_within_team_space_used_cached);
            Some(match team.user_within_team_space_allocated {
                // No limit of their own.
                0 => of_team,
                _ => of_team.min(own),
            })
        }
        _ => None,
    }
}

/// Whether the call failed because the token, or its app, isn't allowed to make it.
fn lacks_scope<E: Debug>(error: &CallError<E>) -> bool {
    match error.failure() {
        Failure::BadRequest { text } => text.contains("required scope"),
        _ => error.summary() == Some("missing_scope"),
    }
}

#[cfg(test)]
mod tests {
    use super::free;
    use landfall_protocol::Strictness;
    use landfall_protocol::json::read;

    #[test]
    fn what_is_free_to_a_member_is_the_less_of_two() {
        let team = |allocated: u64, used: u64| {
            let text = format!(
                r#"{{"used": 7, "allocation": {{".tag": "team", "used": 60, "allocated": 100,
                    "user_within_team_space_allocated": {allocated},
                    "user_within_team_space_limit_type": {{".tag": "off"}},
                    "user_within_team_space_used_cached": {used}}}}}"#
            );
            free(&read(text.as_bytes(), Strictness::Lenient).unwrap())
        };
        assert_eq!(team(0, 7), Some(40));
        assert_eq!(team(10, 7), Some(3));
        assert_eq!(team(90, 7), Some(40));
        assert_eq!(team(5, 7), Some(0));
        let own = br#"{"used": 7, "allocation": {".tag": "individual", "allocated": 10}}"#;
        assert_eq!(free(&read(own, Strictness::Lenient).unwrap()), Some(3));
        let news = br#"{"used": 7, "allocation": {".tag": "family"}}"#;
        assert_eq!(free(&read(news, Strictness::Lenient).unwrap()), None);
    }
}
