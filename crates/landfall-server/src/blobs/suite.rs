//! What every blob store does, checked for each.

use super::{BlobError, BlobStore, CHECKED, LocalBlobs, MemoryBlobs};
use crate::meta::rows::{BlobId, BlobPlace};
use crate::sys::{Fault, Point, Sys};
use bytes::Bytes;
use futures_util::FutureExt;
use std::future::Future;
use std::path::Path;
use tokio::task::spawn_blocking;

/// One test per behaviour, for each store.
macro_rules! suite {
    ($($name:ident,)*) => {
        mod memory {
            $( #[test] fn $name() {
                super::with_memory(super::$name);
            } )*
        }
        mod local {
            $( #[test] fn $name() {
                super::with_local(super::$name);
            } )*
        }
    };
}

suite! {
    what_was_written_is_read,
    an_empty_blob_is_a_blob,
    a_read_beyond_the_end_fails,
    a_missing_blob_is_called_missing,
    names_are_never_alike,
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future);
}

fn with_memory<F: Future<Output = ()>>(test: impl FnOnce(Box<dyn BlobStore>) -> F) {
    run(test(Box::new(MemoryBlobs::new(Sys::real().random))));
}

fn with_local<F: Future<Output = ()>>(test: impl FnOnce(Box<dyn BlobStore>) -> F) {
    let dir = tempfile::tempdir().unwrap();
    run(test(Box::new(LocalBlobs::new(
        Sys::real(),
        dir.path().to_owned(),
    ))));
}

async fn what_was_written_is_read(store: Box<dyn BlobStore>) {
    let data: Vec<u8> = (0..CHECKED + 5000).map(|n| (n % 253) as u8).collect();
    let mut writer = store.create().await.unwrap();
    for piece in data.chunks(70_001) {
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let blob = writer.finish().await.unwrap();
    assert_eq!(
        (blob.length, blob.place),
        (data.len() as u64, BlobPlace::Stored)
    );
    assert_eq!(
        blob.checksums,
        data.chunks(CHECKED).map(crc32c::crc32c).collect::<Vec<_>>()
    );
    let read = store.read(&blob.id, 0, data.len()).await.unwrap();
    assert!(read == data);
    let read = store.read(&blob.id, 1234, 10).await.unwrap();
    assert_eq!(read, data[1234..1244]);
}

async fn an_empty_blob_is_a_blob(store: Box<dyn BlobStore>) {
    let blob = store.create().await.unwrap().finish().await.unwrap();
    assert_eq!((blob.length, blob.checksums.len()), (0, 0));
    assert!(store.read(&blob.id, 0, 0).await.unwrap().is_empty());
}

async fn a_read_beyond_the_end_fails(store: Box<dyn BlobStore>) {
    let mut writer = store.create().await.unwrap();
    writer.write(Bytes::from_static(b"hello")).await.unwrap();
    let blob = writer.finish().await.unwrap();
    assert!(store.read(&blob.id, 0, 6).await.is_err());
    assert!(store.read(&blob.id, 6, 1).await.is_err());
}

async fn a_missing_blob_is_called_missing(store: Box<dyn BlobStore>) {
    let error = store
        .read(&BlobId("no/such".into()), 0, 1)
        .await
        .unwrap_err();
    assert!(matches!(error, BlobError::Missing(_)), "{error}");
}

async fn names_are_never_alike(store: Box<dyn BlobStore>) {
    let one = store.create().await.unwrap().finish().await.unwrap();
    let other = store.create().await.unwrap().finish().await.unwrap();
    assert_ne!(one.id, other.id);
    assert_ne!(store.name(), store.name());
}

fn files(dir: &Path) -> usize {
    let count = |dir: std::fs::DirEntry| std::fs::read_dir(dir.path()).unwrap().count();
    std::fs::read_dir(dir)
        .unwrap()
        .map(|dir| count(dir.unwrap()))
        .sum()
}

#[test]
fn a_local_blob_that_is_not_finished_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    // One thread does one thing after the other, and the runtime's end waits for all of them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build();
    runtime.unwrap().block_on(async {
        let store = LocalBlobs::new(Sys::real(), dir.path().to_owned());
        let mut writer = store.create().await.unwrap();
        let batch = Bytes::from(vec![1; CHECKED]);
        writer.write(batch).await.unwrap();
        spawn_blocking(|| ()).await.unwrap();
        assert_eq!(files(dir.path()), 1);
    });
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn a_local_blob_that_is_finished_when_nobody_waits_for_it_any_more_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let store = LocalBlobs::new(Sys::real(), dir.path().to_owned());
        loop {
            let mut writer = store.create().await.unwrap();
            writer.write(Bytes::from_static(b"hello")).await.unwrap();
            // Everything is handed over; then the client hangs up.
            match writer.finish().now_or_never() {
                None => break,
                Some(finished) => store.remove(&finished.unwrap().id).await.unwrap(),
            }
        }
    });
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn a_local_blob_whose_disk_fails_says_so_and_leaves_no_file() {
    for point in [
        Point::BlobMakeDir,
        Point::BlobCreate,
        Point::BlobWrite,
        Point::BlobSync,
        Point::BlobSyncDir,
        Point::BlobSynced,
    ] {
        let dir = tempfile::tempdir().unwrap();
        let sys = Sys::real();
        sys.failpoints.plan(point, Fault::Error);
        run(async {
            let store = LocalBlobs::new(sys.clone(), dir.path().to_owned());
            let mut writer = store.create().await.unwrap();
            let written = writer.write(Bytes::from_static(b"hello")).await;
            let error = match written {
                Ok(()) => writer.finish().await.unwrap_err(),
                Err(error) => error,
            };
            assert!(error.to_string().contains(point.name()), "{error}");
        });
        assert_eq!(files(dir.path()), 0, "{point}");
    }
}
