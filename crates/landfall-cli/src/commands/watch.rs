//! `watch`: shows what happens, as a user's client software would.

use crate::cli::Watch;
use crate::exit::{Exit, Fail, Result};
use crate::output::{self, Output, notification_fields};
use landfall::{Client, Notification, NotificationsError};
use std::time::Duration;
use tokio::time::sleep;

/// How long to wait before the feed is opened again, and at the most after several failures.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Shows events until the process ends. Where the feed breaks off, it goes on after the last
/// event that was shown.
pub(crate) async fn run(args: &Watch, client: &Client, out: Output) -> Result<()> {
    let mut after = args.after;
    let mut pause = FIRST;
    loop {
        let failure = match client.notifications(after).await {
            Ok(mut feed) => loop {
                match feed.next().await {
                    Ok(Some(notification)) => {
                        pause = FIRST;
                        after = Some(notification.id);
                        show(&notification, out)?;
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            },
            Err(error) => Some(error),
        };
        if let Some(error) = failure {
            if !error.is_temporary() {
                return Err(Fail::new(exit(&error), "can't watch", error));
            }
            output::note(format!("{error}; going on in {} s", pause.as_secs()));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

fn exit(error: &NotificationsError) -> Exit {
    match error {
        NotificationsError::Token(_)
        | NotificationsError::Refused {
            status: 400 | 401, ..
        } => Exit::Auth,
        NotificationsError::Fault(_) => Exit::Temporary,
        _ => Exit::Other,
    }
}

fn show(notification: &Notification, out: Output) -> Result<()> {
    let Notification {
        id,
        event,
        path_display,
        ..
    } = notification;
    out.result(format!("{id}\t{event}\t{path_display}"), || {
        output::event("notification", notification_fields(notification))
    })
}
