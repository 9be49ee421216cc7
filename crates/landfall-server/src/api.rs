//! The routes: which use case answers which.
//!
//! Handlers are thin: the argument was parsed, the use case is called, its answer becomes the
//! reply. The match is over the table of routes, so a route without a handler doesn't compile.

mod download;

use crate::http::{Exchange, Reply};
use crate::ops::{Caller, Failure, Relocation};
use landfall_protocol::routes::RouteId;
use landfall_protocol::routes::calls;
use landfall_protocol::types::sessions::UploadSessionAppendArg;
use landfall_protocol::types::users::EchoResult;

/// Answers the one call for which nobody is asked who calls.
pub(crate) async fn longpoll(exchange: &mut Exchange<'_>) -> Reply {
    let (service, stopping) = (exchange.service, exchange.stopping());
    exchange
        .rpc::<calls::ListFolderLongpoll>(async |arg| service.longpoll(arg, stopping).await)
        .await
}

/// Answers a call of this caller.
pub(crate) async fn answer(exchange: &mut Exchange<'_>, caller: &Caller) -> Reply {
    let service = exchange.service;
    match exchange.route.id {
        RouteId::Upload => {
            exchange
                .upload::<calls::Upload>(async |arg, body| service.upload(caller, arg, body).await)
                .await
        }
        RouteId::AlphaUpload => {
            exchange
                .upload::<calls::AlphaUpload>(async |arg, body| {
                    service.upload(caller, arg, body).await
                })
                .await
        }
        RouteId::UploadSessionStart => {
            exchange
                .upload::<calls::UploadSessionStart>(async |arg, body| {
                    service.start(caller, &arg, body).await
                })
                .await
        }
        RouteId::UploadSessionStartBatch => {
            exchange
                .rpc::<calls::UploadSessionStartBatch>(async |arg| {
                    Ok(service.start_batch(caller, &arg).await?)
                })
                .await
        }
        RouteId::UploadSessionAppendV1 => {
            exchange
                .upload::<calls::UploadSessionAppendV1>(async |cursor, body| {
                    let arg = UploadSessionAppendArg {
                        cursor,
                        close: false,
                        content_hash: None,
                    };
                    service.append(caller, arg, body).await
                })
                .await
        }
        RouteId::UploadSessionAppendBatch => {
            exchange
                .upload::<calls::UploadSessionAppendBatch>(async |arg, body| {
                    service.append_batch(caller, arg, body).await
                })
                .await
        }
        RouteId::UploadSessionAppend => {
            exchange
                .upload::<calls::UploadSessionAppend>(async |arg, body| {
                    service.append(caller, arg, body).await
                })
                .await
        }
        RouteId::UploadSessionFinish => {
            exchange
                .upload::<calls::UploadSessionFinish>(async |arg, body| {
                    service.finish(caller, arg, body).await
                })
                .await
        }
        RouteId::UploadSessionFinishBatch => {
            exchange
                .rpc::<calls::UploadSessionFinishBatch>(async |arg| {
                    Ok(service.finish_batch(caller, arg).await?)
                })
                .await
        }
        RouteId::UploadSessionFinishBatchV1 => {
            exchange
                .rpc::<calls::UploadSessionFinishBatchV1>(async |arg| {
                    Ok(service.launch_finish_batch(caller, arg).await?)
                })
                .await
        }
        RouteId::UploadSessionFinishBatchCheck => {
            exchange
                .rpc::<calls::UploadSessionFinishBatchCheck>(async |arg| {
                    service.check_finish_batch(caller, arg).await
                })
                .await
        }
        RouteId::ListFolderGetLatestCursor => {
            exchange
                .rpc::<calls::ListFolderGetLatestCursor>(async |arg| {
                    service.get_latest_cursor(caller, &arg).await
                })
                .await
        }
        RouteId::ListFolderLongpoll => longpoll(exchange).await,
        RouteId::Download => download::answer(exchange, caller).await,
        RouteId::GetMetadata => {
            exchange
                .rpc::<calls::GetMetadata>(async |arg| service.get_metadata(caller, &arg).await)
                .await
        }
        RouteId::ListFolder => {
            exchange
                .rpc::<calls::ListFolder>(async |arg| service.list_folder(caller, &arg).await)
                .await
        }
        RouteId::ListFolderContinue => {
            exchange
                .rpc::<calls::ListFolderContinue>(async |arg| {
                    service.list_folder_continue(caller, &arg).await
                })
                .await
        }
        RouteId::Delete => {
            exchange
                .rpc::<calls::Delete>(async |arg| service.delete(caller, arg).await)
                .await
        }
        RouteId::DeleteV1 => {
            exchange
                .rpc::<calls::DeleteV1>(async |arg| {
                    let deleted = service.delete(caller, arg).await;
                    deleted.map(|deleted| deleted.metadata)
                })
                .await
        }
        RouteId::CreateFolder => {
            exchange
                .rpc::<calls::CreateFolder>(async |arg| service.create_folder(caller, &arg).await)
                .await
        }
        RouteId::CreateFolderV1 => {
            exchange
                .rpc::<calls::CreateFolderV1>(async |arg| {
                    let made = service.create_folder(caller, &arg).await;
                    made.map(|made| made.metadata)
                })
                .await
        }
        RouteId::Move => {
            exchange
                .rpc::<calls::Move>(async |arg| {
                    service.relocate(caller, Relocation::Move, arg).await
                })
                .await
        }
        RouteId::MoveV1 => {
            exchange
                .rpc::<calls::MoveV1>(async |arg| {
                    let moved = service.relocate(caller, Relocation::Move, arg).await;
                    moved.map(|moved| moved.metadata)
                })
                .await
        }
        RouteId::Copy => {
            exchange
                .rpc::<calls::Copy>(async |arg| {
                    service.relocate(caller, Relocation::Copy, arg).await
                })
                .await
        }
        RouteId::CopyV1 => {
            exchange
                .rpc::<calls::CopyV1>(async |arg| {
                    let copied = service.relocate(caller, Relocation::Copy, arg).await;
                    copied.map(|copied| copied.metadata)
                })
                .await
        }
        RouteId::ListRevisions => {
            exchange
                .rpc::<calls::ListRevisions>(async |arg| service.list_revisions(caller, &arg).await)
                .await
        }
        RouteId::Restore => {
            exchange
                .rpc::<calls::Restore>(async |arg| service.restore(caller, arg).await)
                .await
        }
        RouteId::GetCurrentAccount => {
            exchange
                .rpc::<calls::GetCurrentAccount>(async |()| Ok(service.current_account(caller)))
                .await
        }
        RouteId::GetAccount => {
            exchange
                .rpc::<calls::GetAccount>(async |arg| {
                    service.account(caller, &arg).map_err(Failure::Route)
                })
                .await
        }
        RouteId::GetSpaceUsage => {
            exchange
                .rpc::<calls::GetSpaceUsage>(async |()| Ok(service.space_usage(caller).await?))
                .await
        }
        RouteId::CheckUser => {
            exchange
                .rpc::<calls::CheckUser>(async |arg| {
                    Ok(EchoResult {
                        result: arg.query.0,
                    })
                })
                .await
        }
    }
}
