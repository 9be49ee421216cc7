"""The official Python SDK, unmodified, through all that has to do with saving files.

The environment says where the server is (DROPBOX_API_HOST and its like, REQUESTS_CA_BUNDLE) and
LANDFALL_TOKEN who calls. It ends with a line `done`, or with the assertion that failed.
"""

import io
import os
import sys
import threading
import time

import dropbox
from dropbox import common, exceptions, file_transfer, files
from dropbox.content_hash import content_hash

MIB = 1024 * 1024
token = os.environ["LANDFALL_TOKEN"]
dbx = dropbox.Dropbox(token, max_retries_on_error=0, max_retries_on_rate_limit=0)


def pattern(length, seed):
    block = bytes((seed + n * n) % 251 for n in range(4096))
    return (block * (length // len(block) + 1))[:length]


def fails(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def content(path):
    return dbx.files_download(path)[1].content


def account():
    me = dbx.users_get_current_account()
    assert me.name.display_name and len(me.account_id) == 40
    again = dbx.users_get_account(me.account_id)
    assert again.account_id == me.account_id and again.name == me.name
    stranger = "dbid:" + "x" * 35
    error = fails(exceptions.ApiError, lambda: dbx.users_get_account(stranger)).error
    assert error.is_no_account()
    usage = dbx.users_get_space_usage()
    assert usage.allocation.is_individual() and usage.allocation.get_individual().allocated > 0
    assert dbx.check_user("is it you?").result == "is it you?"
    # With the root of its own account, everything is as without.
    rooted = dbx.with_path_root(common.PathRoot.root(me.root_info.root_namespace_id))
    assert rooted.files_list_folder("").entries == []
    rooted = dbx.with_path_root(common.PathRoot.namespace_id("987654321"))
    fails(exceptions.PathRootError, lambda: rooted.files_list_folder(""))


def errors():
    bad = dropbox.Dropbox("no-such-token", max_retries_on_error=0)
    error = fails(exceptions.AuthError, lambda: bad.users_get_current_account())
    assert error.error.is_invalid_access_token()
    fails(exceptions.BadInputError, lambda: dropbox.Dropbox("bad{}").users_get_current_account())
    error = fails(exceptions.ApiError, lambda: dbx.files_get_metadata("/nowhere"))
    assert error.error.is_path() and error.error.get_path().is_not_found()
    error = fails(exceptions.ApiError, lambda: dbx.files_upload(b"", "/a//b"))
    assert error.error.get_path().reason.is_malformed_path()


def upload():
    for path in ["/one.txt", "/Straße – 東京/\u00fcber \"alles\".txt", "/with 'quotes'"]:
        data = path.encode() * 1000
        saved = dbx.files_upload(data, path)
        assert saved.size == len(data) and saved.content_hash == content_hash(data)
        assert content(path) == data
    assert dbx.files_upload(b"", "/empty").size == 0
    first = dbx.files_get_metadata("/one.txt")
    same = dbx.files_upload(b"/one.txt" * 1000, "/ONE.txt")
    assert (same.rev, same.id) == (first.rev, first.id)
    error = fails(exceptions.ApiError, lambda: dbx.files_upload(b"other", "/one.txt")).error
    assert error.get_path().reason.get_conflict().is_file()
    renamed = dbx.files_upload(b"other", "/one.txt", autorename=True)
    assert renamed.name == "one (2).txt"
    replaced = dbx.files_upload(b"newer", "/one.txt", mode=files.WriteMode.overwrite)
    assert replaced.id == first.id and replaced.rev != first.rev
    stale = files.WriteMode.update(first.rev)
    copy = dbx.files_upload(b"stale", "/one.txt", mode=stale, autorename=True)
    assert "conflicted copy" in copy.name
    dbx.files_upload(b"newest", "/one.txt", mode=files.WriteMode.update(replaced.rev))
    wrong = "0" * 64
    error = fails(
        exceptions.ApiError, lambda: dbx.files_upload(b"x", "/x", content_hash=wrong)
    ).error
    assert error.is_content_hash_mismatch()


def sequential():
    data = pattern(9 * MIB + 5, 1)
    start = dbx.files_upload_session_start(data[:MIB])
    cursor = files.UploadSessionCursor(start.session_id, MIB)
    dbx.files_upload_session_append_v2(data[MIB : 5 * MIB], cursor)
    error = fails(
        exceptions.ApiError, lambda: dbx.files_upload_session_append_v2(b"doubled", cursor)
    ).error
    assert error.get_incorrect_offset().correct_offset == 5 * MIB
    dbx.files_upload_session_append(data[5 * MIB : 8 * MIB], start.session_id, 5 * MIB)
    cursor.offset = 8 * MIB
    commit = files.CommitInfo("/sessions/sequential.bin")
    saved = dbx.files_upload_session_finish(data[8 * MIB :], cursor, commit)
    assert saved.content_hash == content_hash(data)
    again = dbx.files_upload_session_finish(data[8 * MIB :], cursor, commit)
    assert again == saved
    assert content("/sessions/sequential.bin") == data
    unknown = files.UploadSessionCursor("no-such-session", 0)
    error = fails(
        exceptions.ApiError, lambda: dbx.files_upload_session_append_v2(b"", unknown)
    ).error
    assert error.is_not_found()


def concurrent():
    data = pattern(13 * MIB, 2)
    session = dbx.files_upload_session_start(
        b"", session_type=files.UploadSessionType.concurrent
    ).session_id
    block = 4 * MIB
    pieces = [(at, data[at : at + block]) for at in (8 * MIB, 0, 4 * MIB)]
    for offset, piece in pieces:
        cursor = files.UploadSessionCursor(session, offset)
        dbx.files_upload_session_append_v2(piece, cursor)
    cursor = files.UploadSessionCursor(session, 12 * MIB)
    dbx.files_upload_session_append_v2(data[12 * MIB :], cursor, close=True)
    cursor = files.UploadSessionCursor(session, len(data))
    commit = files.CommitInfo("/sessions/concurrent.bin")
    saved = dbx.files_upload_session_finish(b"", cursor, commit)
    assert saved.content_hash == content_hash(data)


def batches():
    count = 5
    bodies = [pattern(1000 + n, n) for n in range(count)]
    sessions = dbx.files_upload_session_start_batch(count).session_ids
    entries = [
        files.UploadSessionAppendBatchArgEntry(
            files.UploadSessionCursor(session, 0), len(body), close=True
        )
        for session, body in zip(sessions, bodies)
    ]
    verdicts = dbx.files_upload_session_append_batch(b"".join(bodies), entries).entries
    assert all(verdict.is_success() for verdict in verdicts)

    def finishes(folder, sessions):
        return [
            files.UploadSessionFinishArg(
                files.UploadSessionCursor(session, len(body)),
                files.CommitInfo(f"{folder}/{n}.bin"),
            )
            for n, (session, body) in enumerate(zip(sessions, bodies))
        ]

    done = dbx.files_upload_session_finish_batch_v2(finishes("/batch", sessions)).entries
    assert [entry.get_success().name for entry in done] == [f"{n}.bin" for n in range(count)]
    assert content("/batch/3.bin") == bodies[3]
    gone = dbx.files_upload_session_finish_batch_v2(finishes("/batch2", sessions[:1])).entries[0]
    assert gone.get_failure().get_lookup_failed().is_not_found()

    sessions = [
        dbx.files_upload_session_start(body, close=True).session_id for body in bodies
    ]
    launch = dbx.files_upload_session_finish_batch(finishes("/job", sessions))
    while not launch.is_complete():
        if launch.is_async_job_id():
            job = launch.get_async_job_id()
        time.sleep(0.05)
        launch = dbx.files_upload_session_finish_batch_check(job)
    assert all(entry.is_success() for entry in launch.get_complete().entries)
    error = fails(
        exceptions.ApiError, lambda: dbx.files_upload_session_finish_batch_check("dbjid:nope")
    ).error
    assert error.is_invalid_async_job_id()


def transfers():
    uploader = file_transfer.Uploader(dbx)
    downloader = file_transfer.Downloader(dbx)
    for parallel in (0, 4):
        for size in (0, 5, 8 * MIB, 21 * MIB + 3):
            data = pattern(size, parallel + 1)
            path = f"/transfer/{parallel}-{size}"
            options = file_transfer.UploadOptions(parallel_uploads=parallel)
            done = uploader.upload(
                file_transfer.BytesUpload(data), files.CommitInfo(path), options
            )
            assert done.metadata.content_hash == content_hash(data)
            target = file_transfer.Bytes()
            options = file_transfer.DownloadOptions(parallel_downloads=parallel)
            downloader.download(path, target, options)
            assert bytes(target.bytes()) == data
    stream = file_transfer.ReaderUpload(io.BytesIO(pattern(9 * MIB, 7)))
    assert uploader.upload(stream, files.CommitInfo("/transfer/stream")).metadata.size == 9 * MIB


def listing():
    for n in range(25):
        dbx.files_upload(b"%d" % n, f"/list/{n // 10}/{n:02}.txt")
    page = dbx.files_list_folder("/list", recursive=True, limit=4)
    entries = list(page.entries)
    pages = 1
    while page.has_more:
        page = dbx.files_list_folder_continue(page.cursor)
        entries += page.entries
        pages += 1
    assert pages > 1
    kinds = [type(entry).__name__ for entry in entries]
    assert (kinds.count("FileMetadata"), kinds.count("FolderMetadata")) == (25, 3)
    latest = dbx.files_list_folder_get_latest_cursor("/list", recursive=True).cursor
    assert dbx.files_list_folder_continue(latest).entries == []

    told = []
    waiting = threading.Thread(
        target=lambda: told.append(dbx.files_list_folder_longpoll(latest, timeout=60))
    )
    waiting.start()
    dbx.files_upload(b"new", "/list/new.txt")
    dbx.files_delete_v2("/list/0/03.txt")
    waiting.join()
    assert told[0].changes
    changed = dbx.files_list_folder_continue(latest).entries
    assert {type(entry).__name__ + entry.path_display for entry in changed} == {
        "FileMetadata/list/new.txt",
        "DeletedMetadata/list/0/03.txt",
    }
    error = fails(exceptions.ApiError, lambda: dbx.files_list_folder("/list/new.txt")).error
    assert error.get_path().is_not_folder()


def moving():
    folder = dbx.files_create_folder_v2("/tree/Inner").metadata
    saved = dbx.files_upload(b"leaf", "/tree/Inner/leaf.txt")
    moved = dbx.files_move_v2("/tree/Inner", "/moved").metadata
    assert isinstance(moved, files.FolderMetadata) and moved.id == folder.id
    leaf = dbx.files_get_metadata("/moved/leaf.txt")
    assert leaf.id == saved.id and leaf.client_modified == saved.client_modified
    copied = dbx.files_copy_v2("/moved/leaf.txt", "/copied.txt").metadata
    assert copied.id != saved.id and content("/copied.txt") == b"leaf"
    again = dbx.files_copy_v2("/moved/leaf.txt", "/copied.txt", autorename=True).metadata
    assert again.name == "copied (2).txt"
    error = fails(
        exceptions.ApiError, lambda: dbx.files_move_v2("/copied.txt", "/moved/leaf.txt")
    ).error
    assert error.get_to().get_conflict().is_file()
    error = fails(exceptions.ApiError, lambda: dbx.files_move_v2("/nowhere", "/there")).error
    assert error.get_from_lookup().is_not_found()
    # The forms of the first version.
    assert isinstance(dbx.files_create_folder("/old"), files.FolderMetadata)
    assert dbx.files_copy("/copied.txt", "/old/copy.txt").path_display == "/old/copy.txt"
    assert dbx.files_move("/old/copy.txt", "/old/moved.txt").path_display == "/old/moved.txt"
    assert dbx.files_delete("/old/moved.txt").path_display == "/old/moved.txt"
    assert isinstance(dbx.files_delete_v2("/old").metadata, files.FolderMetadata)


def history():
    overwrite = files.WriteMode.overwrite
    revs = [dbx.files_upload(b"%d" % n, "/history.txt", mode=overwrite).rev for n in range(3)]
    listed = dbx.files_list_revisions("/history.txt")
    assert [entry.rev for entry in listed.entries] == revs[::-1] and not listed.is_deleted
    old = dbx.files_download("rev:" + revs[0])[1].content
    assert old == b"0"
    dbx.files_delete_v2("/history.txt")
    listed = dbx.files_list_revisions("/history.txt", limit=1)
    assert listed.is_deleted and len(listed.entries) == 1
    restored = dbx.files_restore("/history.txt", revs[1])
    assert content("/history.txt") == b"1" and restored.rev not in revs
    error = fails(
        exceptions.ApiError, lambda: dbx.files_restore("/history.txt", "123456789abc")
    ).error
    assert error.is_invalid_revision() or error.is_path_lookup()
    dbx.files_move_v2("/history.txt", "/history2.txt")
    by_id = dbx.files_list_revisions(
        "/history2.txt", mode=files.ListRevisionsMode.id
    )
    assert len(by_id.entries) >= 2


def download():
    data = pattern(5 * MIB, 3)
    saved = dbx.files_upload(data, "/download.bin")
    for path in ("/download.bin", saved.id, "rev:" + saved.rev):
        metadata, response = dbx.files_download(path)
        assert metadata == saved and response.content == data
    error = fails(exceptions.ApiError, lambda: dbx.files_download("/list")).error
    assert error.get_path().is_not_file()
    dbx.files_download_to_file("downloaded.bin", "/download.bin")
    with open("downloaded.bin", "rb") as file:
        assert file.read() == data


STEPS = [
    account, errors, upload, sequential, concurrent, batches, transfers, listing, moving, history,
    download,
]

for step in STEPS:
    if not sys.argv[1:] or step.__name__ in sys.argv[1:]:
        step()
print("done", dropbox.__version__)
