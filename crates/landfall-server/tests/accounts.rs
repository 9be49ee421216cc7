//! Callers: accounts are islands (P8), tokens, scopes, path roots, and what every answer has.

use landfall_protocol::Scope;
use landfall_protocol::routes::{Auth, ROUTES, Route, Style};
use landfall_server::TokenGrant;
use landfall_testkit::{Answer, Calls, Method, on_each_store};
use serde_json::{Value, json};
use std::time::Duration;

/// A request to a route with an empty argument and no body: whoever may not call it is refused
/// before the argument is looked at.
async fn knock(calls: &Calls, route: &Route, authorization: Option<&str>) -> Answer {
    let mut request = calls.anonymous(Method::POST, &format!("/2/{}", route.tail));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request = match route.style {
        Style::Rpc => request
            .header("content-type", "application/json")
            .body("{}"),
        Style::Upload => request
            .header("content-type", "application/octet-stream")
            .header("dropbox-api-arg", "{}"),
        Style::Download => request.header("dropbox-api-arg", "{}"),
    };
    calls.send(request).await
}

fn assert_auth_error(answer: &Answer, error: &Value, what: &str) {
    let tag = error[".tag"].as_str().expect("a tag");
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    assert_eq!(answer.json()["error"], *error, "{what}");
    let begin = format!("{{\"error_summary\": \"{tag}/");
    assert!(
        answer.text().starts_with(&begin),
        "{what}: {}",
        answer.text()
    );
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"Dropbox-API\"",
        "{what}"
    );
}

fn assert_bad_request(answer: &Answer, route: &Route, rest: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(
        answer.text(),
        format!(
            "Error in call to API function \"{}\": {rest}",
            route.api_name()
        )
    );
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
}

/// The routes that ask who calls.
fn with_a_caller() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.auth == Auth::User)
}

/// The own namespace.
async fn namespace(calls: &Calls) -> String {
    let account = calls.rpc("users/get_current_account", "null").await.ok();
    account["root_info"]["root_namespace_id"]
        .as_str()
        .expect("a namespace")
        .to_owned()
}

/// Everything of an answer but the id of its request and the time.
fn whole(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-dropbox-request-id", "date"].contains(&name.as_str()))
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    headers.sort();
    (answer.status, answer.text(), headers)
}

on_each_store! {
    async fn somebody_elses_session_is_an_unknown_session(server: TestServer) {
        let (panda, other) = (server.calls(), server.calls_as("other").await);
        let foreign = panda.start("{}", "hello").await;
        let finished = panda.start("{}", "hello").await;
        panda.finish(&finished, 5, r#"{"path": "/f"}"#, "").await.ok();
        let unknown = "AAAAAAAAAAAAAAAAAAAAAA";
        let append = whole(&other.append(unknown, 5, "x").await);
        let finish = whole(&other.finish(unknown, 5, r#"{"path": "/f"}"#, "").await);
        assert!(append.1.contains("not_found") && finish.1.contains("lookup_failed/not_found"));
        for session in [foreign.as_str(), &finished] {
            assert_eq!(whole(&other.append(session, 5, "x").await), append);
            assert_eq!(whole(&other.finish(session, 5, r#"{"path": "/f"}"#, "").await), finish);
        }
        assert_eq!(other.tree().await, [""; 0]);
        panda.append(&foreign, 5, "!").await.ok();
    }

    async fn somebody_elses_cursor_is_a_broken_cursor(server: TestServer) {
        let (panda, other) = (server.calls(), server.calls_as("other").await);
        panda.put("/f", "x").await;
        let page = panda.list(&json!({"path": ""})).await.ok();
        let foreign = page["cursor"].as_str().expect("a cursor");
        let broken = whole(&other.list_on("AAAA").await);
        assert!(broken.1.starts_with(r#"{"error_summary": "reset/"#), "{}", broken.1);
        assert_eq!(whole(&other.list_on(foreign).await), broken);
        // Both accounts have a cursor for the same place: neither is good for the other.
        let page = other.list(&json!({"path": ""})).await.ok();
        let own = page["cursor"].as_str().expect("a cursor");
        assert_eq!(panda.list_on(own).await.error(), "reset");
    }

    async fn somebody_elses_ids_revs_and_namespaces_are_unknown(server: TestServer) {
        let (panda, other) = (server.calls(), server.calls_as("other").await);
        let file = panda.put("/dir/file", "secret").await;
        other.put("/dir/file", "own").await;
        let dir = panda.metadata("/dir").await.ok();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let ns = namespace(&panda).await;
        let pairs = [
            (text(&file["id"]), "id:AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
            (text(&dir["id"]), "id:AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
            (format!("{}/file", text(&dir["id"])), "id:AAAAAAAAAAAAAAAAAAAAAA/file".to_owned()),
            (format!("rev:{}", text(&file["rev"])), "rev:fffffffffffff".to_owned()),
            (format!("ns:{ns}/dir/file"), "ns:4294967295/dir/file".to_owned()),
            (format!("ns:{ns}/dir"), "ns:4294967295/dir".to_owned()),
        ];
        for (foreign, unknown) in pairs {
            let mut answers = Vec::new();
            for path in [&foreign, &unknown] {
                let commit = json!({"path": path, "mode": "overwrite"});
                let autorename = json!({"path": path, "autorename": true});
                let answers_here = [
                    other.metadata(path).await,
                    other.rpc("files/get_metadata", &json!({"path": path, "include_deleted": true}).to_string()).await,
                    other.download(&json!({ "path": path }).to_string(), &[]).await,
                    other.list(&json!({ "path": path })).await,
                    other.delete(path).await,
                    other.commit(&commit, "x").await,
                    other.commit(&autorename, "x").await,
                    other.create_folder(path).await,
                    other.rpc("files/delete", &json!({ "path": path }).to_string()).await,
                    other.rpc("files/create_folder", &json!({ "path": path }).to_string()).await,
                    other.rpc("files/move_v2", &json!({"from_path": path, "to_path": "/got"}).to_string()).await,
                    other.rpc("files/copy_v2", &json!({"from_path": path, "to_path": "/got"}).to_string()).await,
                    other.rpc("files/move_v2", &json!({"from_path": "/dir/file", "to_path": path}).to_string()).await,
                    other.rpc("files/copy", &json!({"from_path": "/dir/file", "to_path": path, "autorename": true}).to_string()).await,
                    other.rpc("files/list_revisions", &json!({ "path": path }).to_string()).await,
                    other.rpc("files/list_revisions", &json!({"path": path, "mode": "id"}).to_string()).await,
                    other.rpc("files/restore", &json!({"path": path, "rev": file["rev"]}).to_string()).await,
                ];
                // What a 400 quotes is the request's own text, so its length differs.
                answers.push(answers_here.map(|answer| match whole(&answer) {
                    (400, text, _) => (400, text.replace(path.as_str(), "PATH"), Vec::new()),
                    other => other,
                }));
            }
            for (nth, (foreign, unknown)) in answers[0].iter().zip(&answers[1]).enumerate() {
                assert_ne!(foreign.0, 200, "call {nth} of {foreign:?}");
                assert_eq!(foreign, unknown, "call {nth}");
            }
        }
        assert_eq!(other.read("/dir/file").await, "own");
        assert_eq!(panda.read("/dir/file").await, "secret");
        assert_eq!(panda.tree().await, ["/dir", "/dir/file"]);
        assert_eq!(other.tree().await, ["/dir", "/dir/file"]);
    }

    async fn somebody_elses_rev_is_as_unknown_as_any(server: TestServer) {
        let (panda, other) = (server.calls(), server.calls_as("other").await);
        let foreign = panda.put("/f", "secret").await["rev"].clone();
        other.put("/f", "own").await;
        let mut answers = Vec::new();
        for rev in [foreign, json!("fffffffffffff")] {
            let restore = json!({"path": "/f", "rev": rev}).to_string();
            let before = json!({"path": "/f", "before_rev": rev}).to_string();
            let delete = json!({"path": "/f", "parent_rev": rev}).to_string();
            let update = json!({"path": "/f", "mode": {".tag": "update", "update": rev}});
            answers.push([
                whole(&other.rpc("files/restore", &restore).await),
                whole(&other.rpc("files/list_revisions", &before).await),
                whole(&other.rpc("files/delete_v2", &delete).await),
                whole(&other.commit(&update, "new").await),
            ]);
        }
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0].iter().all(|answer| answer.0 == 409), "{answers:?}");
        assert_eq!(other.read("/f").await, "own");
    }

    async fn somebody_elses_sessions_and_jobs_are_unknown_in_batches_too(server: TestServer) {
        let (panda, other) = (server.calls(), server.calls_as("other").await);
        let closed = panda.start(r#"{"close": true}"#, "hello").await;
        let open = panda.start("{}", "").await;
        let entry = json!({"cursor": {"session_id": closed, "offset": 5}, "commit": {"path": "/f"}});
        let launched = panda
            .rpc("files/upload_session/finish_batch", &json!({"entries": [entry]}).to_string())
            .await
            .ok();
        let job = launched["async_job_id"].as_str().unwrap_or("dbjid:none-was-needed").to_owned();
        let unknown = "AAAAAAAAAAAAAAAAAAAAAA";
        let ask = async |session: &str, job: &str| {
            let append = json!({"entries": [{"cursor": {"session_id": session, "offset": 0}, "length": 1}]});
            let finish = json!({"entries": [{
                "cursor": {"session_id": session, "offset": 0}, "commit": {"path": "/f"},
            }]});
            let check = json!({ "async_job_id": job });
            [
                whole(&other.upload("files/upload_session/append_batch", &append.to_string(), "x").await),
                whole(&other.rpc("files/upload_session/finish_batch_v2", &finish.to_string()).await),
                whole(&other.rpc("files/upload_session/finish_batch/check", &check.to_string()).await),
            ]
        };
        let not_there = ask(unknown, "dbjid:AAAAAAAAAAAAAAAAAAAAAA").await;
        for session in [&open, &closed] {
            assert_eq!(ask(session, &job).await, not_there);
        }
        assert_eq!(other.tree().await, [""; 0]);
    }

    async fn a_revoked_token_is_invalid_on_every_route_at_once(server: TestServer) {
        server.admin().add_account("other", None).await.expect("an account");
        let token = server.token_of("other").await;
        server.calls_with(&token).rpc("check/user", "{}").await.ok();
        for token in server.admin().tokens("other").await.expect("tokens") {
            server.admin().revoke_token(&token.id).await.expect("it is there");
        }
        for route in with_a_caller() {
            let answer = knock(&server.calls(), route, Some(&format!("Bearer {token}"))).await;
            assert_auth_error(&answer, &json!({".tag": "invalid_access_token"}), route.tail);
        }
        server.calls().rpc("check/user", "{}").await.ok();
    }

    async fn a_rev_of_somebody_else_is_stale(server: TestServer) {
        let (panda, other) = (server.calls(), server.calls_as("other").await);
        let rev = panda.put("/f", "x").await["rev"].clone();
        other.put("/f", "y").await;
        let mode = json!({".tag": "update", "update": rev});
        let refused = other.commit(&json!({"path": "/f", "mode": mode}), "z").await;
        assert_eq!(refused.error(), "path/conflict/file");
        let by_field = json!({"path": "/f", "rev": rev}).to_string();
        assert_eq!(other.download(&by_field, &[]).await.error(), "path/not_found");
    }

    async fn without_a_token_every_route_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        for route in with_a_caller() {
            let text = "Must provide HTTP header \"Authorization\" or URL parameter \"authorization\".";
            assert_bad_request(&knock(&calls, route, None).await, route, text);
        }
    }

    async fn a_malformed_token_is_a_bad_request_on_every_route(server: TestServer) {
        let calls = server.calls();
        for route in with_a_caller() {
            for (value, shown) in [
                ("Bearer", "Bearer"),
                ("Bearer ", "Bearer"),
                ("Basic abcdefgh", "Basic ..."),
                ("lf.0123456789", "lf.012..."),
            ] {
                let text = format!(
                    "Invalid authorization value in HTTP header \"Authorization\": \"{shown}\".  \
                     Expecting \"Bearer <oauth2-access-token>\"."
                );
                assert_bad_request(&knock(&calls, route, Some(value)).await, route, &text);
            }
            for value in ["Bearer short", "Bearer with space in it", "Bearer \u{fc}ber-the-top"] {
                let text = "The given OAuth 2 access token is malformed.";
                assert_bad_request(&knock(&calls, route, Some(value)).await, route, text);
            }
        }
    }

    async fn an_unknown_token_is_invalid_on_every_route(server: TestServer) {
        let calls = server.calls();
        for route in with_a_caller() {
            let answer = knock(&calls, route, Some("Bearer lf.nobody-has-this-one")).await;
            assert_auth_error(&answer, &json!({".tag": "invalid_access_token"}), route.tail);
        }
    }

    async fn a_token_is_expired_once_its_time_is_over_on_every_route(server: TestServer) {
        let grant = TokenGrant { expires: Some(Duration::from_secs(60)), ..TokenGrant::default() };
        let token = server.admin().create_token("panda", grant).await.expect("a token");
        let calls = server.calls_with(&token);
        server.clock().advance_seconds(59);
        calls.rpc("check/user", "{}").await.ok();
        server.clock().advance_seconds(1);
        for route in with_a_caller() {
            let answer = knock(&calls, route, Some(&format!("Bearer {token}"))).await;
            assert_auth_error(&answer, &json!({".tag": "expired_access_token"}), route.tail);
        }
    }

    async fn an_account_is_told_who_it_is_and_of_nobody_else(server: TestServer) {
        let calls = server.calls();
        let current = calls.rpc("users/get_current_account", "null").await.ok();
        let other = server.calls_as("other").await.rpc("users/get_current_account", "null").await.ok();
        let ask = async |id: &str| {
            let arg = json!({ "account_id": id }).to_string();
            calls.rpc("users/get_account", &arg).await
        };
        let own = ask(current["account_id"].as_str().expect("an id")).await.ok();
        let mut wanted = json!({"is_teammate": true});
        for field in ["account_id", "name", "email", "email_verified", "disabled"] {
            wanted[field] = current[field].clone();
        }
        assert_eq!(own, wanted);
        let foreign = ask(other["account_id"].as_str().expect("an id")).await;
        let unknown = ask(&format!("dbid:{}", "A".repeat(35))).await;
        for refused in [&foreign, &unknown] {
            assert_eq!(refused.error(), "no_account");
            assert_eq!(refused.json()["error"], json!({".tag": "no_account"}));
        }
        for id in ["", "dbid:short"] {
            let bad = ask(id).await;
            assert_eq!(bad.status, 400, "{}", bad.text());
            assert!(bad.text().contains("account_id: ") && bad.text().contains("at least 40 characters"), "{}", bad.text());
        }
    }

    async fn a_token_needs_the_scope_of_the_route(server: TestServer) {
        for route in with_a_caller() {
            let scope = route.scope.expect("whoever is asked for a token needs a scope");
            let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(|one| *one != scope).collect();
            let lacking = TokenGrant { scopes, ..TokenGrant::default() };
            let lacking = server.admin().create_token("panda", lacking).await.expect("a token");
            let answer = knock(&server.calls(), route, Some(&format!("Bearer {lacking}"))).await;
            let error = json!({".tag": "missing_scope", "required_scope": scope.name()});
            assert_auth_error(&answer, &error, route.tail);

            let only = TokenGrant { scopes: vec![scope], ..TokenGrant::default() };
            let only = server.admin().create_token("panda", only).await.expect("a token");
            let answer = knock(&server.calls(), route, Some(&format!("Bearer {only}"))).await;
            assert!(matches!(answer.status, 200 | 400), "{}: {}", route.tail, answer.text());
            assert!(!answer.text().contains("token"), "{}: {}", route.tail, answer.text());
        }
    }

    async fn a_route_that_asks_for_no_caller_takes_no_token(server: TestServer) {
        for route in ROUTES.iter().filter(|route| route.auth == Auth::None) {
            let answer = knock(&server.calls(), route, Some("Bearer lf.nobody-has-this-one")).await;
            let text = "Your request includes an Authorization header, but this function does not use it.";
            assert_bad_request(&answer, route, text);
        }
    }

    async fn a_token_may_come_in_the_url(server: TestServer) {
        let calls = server.calls();
        let url = format!("/2/users/get_current_account?authorization=Bearer%20{}", server.token());
        calls.send(calls.anonymous(Method::POST, &url)).await.ok();
        let raw = format!("/2/users/get_current_account?authorization={}", server.token());
        let refused = calls.send(calls.anonymous(Method::POST, &raw)).await;
        assert_eq!(refused.status, 400);
        assert!(!refused.text().contains(server.token()), "a token is never shown whole");
        assert!(
            refused.text().contains("Invalid authorization value in URL parameter \"authorization\": "),
            "{}", refused.text()
        );
    }

    async fn the_own_path_root_changes_nothing(server: TestServer) {
        let calls = server.calls();
        calls.put("/f", "x").await;
        let own = namespace(&calls).await;
        for root in [
            json!({".tag": "home"}),
            json!("home"),
            json!({".tag": "root", "root": own}),
            json!({".tag": "namespace_id", "namespace_id": own}),
        ] {
            let answer = with_root(&calls, &root.to_string()).await;
            assert_eq!(answer.ok()["path_display"], "/f", "{root}");
        }
    }

    async fn a_path_root_out_of_reach_is_refused(server: TestServer) {
        let calls = server.calls();
        let own = namespace(&calls).await;
        let foreign = namespace(&server.calls_as("other").await).await;
        let mut seen = Vec::new();
        for ns in [foreign.as_str(), "4294967295"] {
            let root = json!({".tag": "namespace_id", "namespace_id": ns}).to_string();
            let answer = with_root(&calls, &root).await;
            assert_eq!(answer.status, 422, "{}", answer.text());
            assert_eq!(answer.json()["error"], json!({".tag": "no_permission"}));
            assert_eq!(answer.header("content-type"), "application/json");
            let root = json!({".tag": "root", "root": ns}).to_string();
            let other = with_root(&calls, &root).await;
            assert_eq!(other.status, 422, "{}", other.text());
            let info = json!({".tag": "user", "root_namespace_id": own, "home_namespace_id": own});
            assert_eq!(other.json()["error"], json!({".tag": "invalid_root", "invalid_root": info}));
            seen.push((whole(&answer), whole(&other)));
        }
        assert_eq!(seen[0], seen[1], "whether a namespace exists can't be seen");
    }

    async fn a_broken_path_root_is_a_bad_request(server: TestServer) {
        for (root, begin) in [
            ("{", "HTTP header \"Dropbox-API-Path-Root\": could not decode input as JSON"),
            ("\"nowhere\"", "HTTP header \"Dropbox-API-Path-Root\": "),
            ("{\".tag\": \"root\"}", "HTTP header \"Dropbox-API-Path-Root\": "),
        ] {
            let answer = with_root(&server.calls(), root).await;
            assert_eq!(answer.status, 400, "{root}: {}", answer.text());
            let begin = format!("Error in call to API function \"files/get_metadata\": {begin}");
            assert!(answer.text().starts_with(&begin), "{}", answer.text());
        }
    }

    async fn the_account_has_every_field_that_clients_read(server: TestServer) {
        let calls = server.calls();
        for body in ["null", ""] {
            let answer = calls.rpc("users/get_current_account", body).await;
            let account = answer.ok();
            let id = account["account_id"].as_str().expect("an id");
            assert!(id.starts_with("dbid:") && id.len() == 40, "{id}");
            assert_eq!(
                account["name"],
                json!({"given_name": "Panda", "surname": "", "familiar_name": "Panda",
                       "display_name": "Panda", "abbreviated_name": "P"})
            );
            let ns = account["root_info"]["root_namespace_id"].clone();
            assert!(ns.as_str().is_some_and(|ns| ns.parse::<u32>().is_ok_and(|ns| ns > 0)), "{ns}");
            assert_eq!(
                account["root_info"],
                json!({".tag": "user", "root_namespace_id": ns, "home_namespace_id": ns})
            );
            assert!(answer.text().contains(r#""root_info": {".tag": "user", "#), "{}", answer.text());
            assert_eq!(account["account_type"], json!({".tag": "basic"}));
            for (field, value) in [
                ("email_verified", json!(false)), ("disabled", json!(false)), ("is_paired", json!(false)),
                ("locale", json!("en")), ("referral_link", json!("")),
            ] {
                assert_eq!(account[field], value, "{field}");
            }
            assert!(account["email"].as_str().is_some_and(|email| email.contains('@')));
        }
        let admin = server.admin();
        admin.add_account("two", Some("Ada King Lovelace")).await.expect("a new account");
        let account = server.calls_as("two").await.rpc("users/get_current_account", "null").await.ok();
        assert_eq!(account["name"]["given_name"], "Ada");
        assert_eq!(account["name"]["surname"], "King Lovelace");
        assert_eq!(account["name"]["display_name"], "Ada King Lovelace");
    }

    async fn used_space_is_that_of_the_current_files(server: TestServer) {
        let calls = server.calls();
        let used = async || {
            let usage = calls.rpc("users/get_space_usage", "null").await.ok();
            assert_eq!(usage["allocation"][".tag"], "individual");
            let allocated = usage["allocation"]["allocated"].as_u64().expect("a number");
            assert!(allocated >= usage["used"].as_u64().expect("a number"));
            usage["used"].clone()
        };
        assert_eq!(used().await, 0);
        calls.put("/a/one", "12345").await;
        calls.put("/a/two", "1234567").await;
        assert_eq!(used().await, 12);
        calls.put("/a/one", "12345").await;
        assert_eq!(used().await, 12, "the same bytes again");
        calls.put("/a/one", "123").await;
        assert_eq!(used().await, 10, "a replaced revision doesn't count");
        let commit = json!({"path": "/a/one", "autorename": true});
        calls.commit(&commit, "1234").await.ok();
        assert_eq!(used().await, 14);
        let session = calls.start("{}", "unfinished").await;
        assert_eq!(used().await, 14);
        assert_eq!(calls.finish(&session, 10, r#"{"path": "/a"}"#, "").await.error(), "path/conflict/folder");
        assert_eq!(used().await, 14);
        calls.delete("/a/two").await.ok();
        assert_eq!(used().await, 7);
        calls.delete("/a").await.ok();
        assert_eq!(used().await, 0, "a folder with all in it");
        assert_eq!(server.calls_as("other").await.rpc("users/get_space_usage", "null").await.ok()["used"], 0);
    }

    async fn a_full_account_takes_no_more(server: TestServer) {
        let (calls, admin) = (server.calls(), server.admin());
        calls.put("/a", "12345").await;
        let (open, closed) = (calls.start("{}", "123456").await, calls.start(r#"{"close": true}"#, "123456").await);
        // What came before the quota did is there; its commit is what the account has no room for.
        admin.set_quota("panda", Some(10)).await.expect("a quota");
        let full = "path/insufficient_space";
        let finish = async |commit: &str| calls.finish(&open, 6, commit, "").await;
        assert_eq!(finish(r#"{"path": "/b"}"#).await.error(), full);
        assert_eq!(finish(r#"{"path": "/b", "autorename": true}"#).await.error(), full);
        let batch = calls.finish_batch(&[(&closed, 6, json!({"path": "/b"}))]).await.ok();
        assert_eq!(batch["entries"][0]["failure"], json!({".tag": "path", "path": {".tag": "insufficient_space"}}));
        assert_eq!(calls.upload("files/upload", r#"{"path": "/b"}"#, "1").await.error(), full);
        assert_eq!(calls.tree().await, ["/a"]);

        // What takes a file's place takes its room.
        calls.put("/a", "54321").await;
        calls.upload("files/upload", r#"{"path": "/c"}"#, "").await.ok();
        admin.set_quota("panda", Some(3)).await.expect("a quota");
        let over = calls.upload("files/upload", r#"{"path": "/a", "mode": "overwrite"}"#, "123456").await;
        assert_eq!(over.error(), full);
        calls.put("/a", "67890").await;
        calls.put("/a", "1234").await;
        assert_eq!(server.calls_as("other").await.put("/b", "123456").await["size"], 6, "others have their own");

        calls.delete("/a").await.ok();
        admin.set_quota("panda", Some(6)).await.expect("a quota");
        assert_eq!(finish(r#"{"path": "/b"}"#).await.ok()["size"], 6);
        admin.set_quota("panda", None).await.expect("no quota");
        let batch = calls.finish_batch(&[(&closed, 6, json!({"path": "/d"}))]).await.ok();
        assert_eq!(batch["entries"][0]["size"], 6);
    }

    async fn check_user_echoes(server: TestServer) {
        let calls = server.calls();
        let long = "\u{1f40b}".repeat(500);
        for query in ["hello", "", "\"\u{fc}\n", &long] {
            let answer = calls.rpc("check/user", &json!({ "query": query }).to_string()).await;
            assert_eq!(answer.ok(), json!({ "result": query }));
        }
        assert_eq!(calls.rpc("check/user", "{}").await.ok(), json!({"result": ""}));
        let refused = calls.rpc("check/user", &json!({"query": format!("{long}x")}).to_string()).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
    }

    async fn health_needs_no_token(server: TestServer) {
        let calls = server.calls();
        let answer = calls.send(calls.anonymous(Method::GET, "/healthz")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"));
    }

    async fn metrics_count_by_route_and_status(server: TestServer) {
        let calls = server.calls();
        calls.put("/f", "x").await;
        for _ in 0..3 {
            calls.metadata("/f").await.ok();
        }
        calls.metadata("/nowhere").await.error();
        assert_eq!(calls.rpc("files/no_such_route", "{}").await.status, 400);
        let metrics = calls.send(calls.anonymous(Method::GET, "/metrics")).await;
        assert_eq!(metrics.status, 200);
        let text = metrics.text();
        let requests = |line: &&str| line.starts_with("landfall_http_requests_total{");
        let lines: Vec<&str> = text.lines().filter(requests).collect();
        assert_eq!(
            lines,
            [
                r#"landfall_http_requests_total{route="files/get_metadata",status="200"} 3"#,
                r#"landfall_http_requests_total{route="files/get_metadata",status="409"} 1"#,
                r#"landfall_http_requests_total{route="files/upload",status="200"} 1"#,
                r#"landfall_http_requests_total{route="unknown",status="400"} 1"#,
            ]
        );
    }

    async fn an_unknown_route_is_a_bad_request(server: TestServer) {
        let answer = server.calls().rpc("files/no_such_route_v2", "{}").await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.text(),
            "Error in call to API function \"files/no_such_route:2\": \
             Unknown API function: /2/files/no_such_route_v2"
        );
    }

    async fn the_wrong_method_is_a_bad_request(server: TestServer) {
        let calls = server.calls();
        for route in ROUTES {
            for method in [Method::GET, Method::PUT] {
                if route.style == Style::Download && method == Method::GET {
                    continue;
                }
                let answer = calls.send(calls.request(method.clone(), &format!("/2/{}", route.tail))).await;
                let text = format!(
                    "Your request's HTTP request method is \"{method}\".  \
                     This function only accepts the HTTP request method \"POST\"."
                );
                assert_bad_request(&answer, route, &text);
            }
        }
    }

    async fn json_is_spaced_ascii_of_exactly_one_type(server: TestServer) {
        let calls = server.calls();
        let saved = calls.upload("files/upload", r#"{"path": "/ü/x"}"#, "x").await;
        let refused = calls.upload("files/upload", r#"{"path": "/ü"}"#, "x").await;
        let begin_of_refused = r#"{"error_summary": "path/conflict/folder/.", "error": {".tag": "path", "reason": {".tag": "conflict", "conflict": {".tag": "folder"}}, "upload_session_id": ""#;
        for (answer, begin) in [
            (saved, r#"{"name": "x", "path_lower": "/\u00fc/x", "path_display": "/\u00fc/x", "id": "id:"#),
            (refused, begin_of_refused),
            (calls.metadata("/ü").await, r#"{".tag": "folder", "name": "\u00fc", "path_lower": "#),
            (
                calls.metadata("/x").await,
                r#"{"error_summary": "path/not_found/.", "error": {".tag": "path", "path": {".tag": "not_found"}}}"#,
            ),
            (calls.rpc("users/get_current_account", "null").await, r#"{"account_id": "dbid:"#),
            (
                calls.append("AAAAAAAAAAAAAAAAAAAAAA", 0, "").await,
                r#"{"error_summary": "not_found/.", "error": {".tag": "not_found"}}"#,
            ),
        ] {
            let text = answer.text();
            assert!(text.starts_with(begin), "{text}");
            assert!(text.is_ascii() && !text.contains('\n'), "{text}");
            assert_eq!(answer.header("content-type"), "application/json");
            let id = answer.header("x-dropbox-request-id");
            assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            assert_eq!(answer.header("cache-control"), "no-cache");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }

    async fn request_ids_are_never_alike(server: TestServer) {
        let calls = server.calls();
        let first = calls.metadata("/x").await.header("x-dropbox-request-id");
        assert_ne!(calls.metadata("/x").await.header("x-dropbox-request-id"), first);
    }
}

/// A look at `/f` under a path root.
async fn with_root(calls: &Calls, root: &str) -> Answer {
    let request = calls
        .request(Method::POST, "/2/files/get_metadata")
        .header("content-type", "application/json")
        .header("dropbox-api-path-root", root)
        .body(r#"{"path": "/f"}"#);
    calls.send(request).await
}
