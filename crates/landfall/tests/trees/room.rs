//! Whether the account has room, before anything is sent.

use super::{MIB, folder, plan_of, put_plan, with_server};
use landfall::transfer::{PutFailure, PutOptions};
use landfall_testkit::faults::{Canned, Fault, Plan as Faults};

const USAGE: &str = "users/get_space_usage";

#[test]
fn what_can_not_fit_is_told_before_a_byte_is_sent() {
    with_server(async |server| {
        let folder = folder(&[("large", 70 * MIB), ("small", 10)]);
        server
            .admin()
            .set_quota("panda", Some(60 * MIB as u64))
            .await
            .unwrap();
        let put = async |faults| {
            let plan = plan_of(folder.path(), "/dest");
            put_plan(&server, plan, PutOptions::default(), faults).await
        };
        let refused = put(Faults::new()).await.unwrap_err();
        let (needed, free) = (70 * MIB as u64 + 10, 60 * MIB as u64);
        let PutFailure::NoRoom {
            needed: asked,
            free: left,
        } = refused
        else {
            panic!("{refused}");
        };
        assert_eq!((asked, left), (needed, free));
        assert!(server.calls().tree().await.is_empty());

        // Who may not ask is told by the service, file by file.
        let no_scope = Fault::Answer(Canned::refusal("other", r#"{".tag": "other"}"#));
        let ran = put(Faults::new().on(USAGE, 1, no_scope)).await.unwrap();
        assert_eq!((ran.summary.uploaded, ran.summary.refused), (1, 1));

        // What is there already takes no room; what was begun and not finished does, for a while.
        server
            .admin()
            .set_quota("panda", Some(200 * MIB as u64))
            .await
            .unwrap();
        assert_eq!(put(Faults::new()).await.unwrap().summary.uploaded, 1);
        assert_eq!(put(Faults::new()).await.unwrap().summary.already_there, 2);
    });
}
