"""Uploads with the official Python SDK's `Uploader`: sdk_upload.py SOURCE DEST THREADS PARALLEL

A file goes up in PARALLEL pieces at once; of a folder THREADS files at once, the large ones first
and in pieces too. The environment says where the server is, and LANDFALL_TOKEN who calls.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dropbox
from dropbox import file_transfer, files

# Of larger files several pieces go at once.
LARGE = 32 * 1024 * 1024


def main():
    source, dest = Path(sys.argv[1]), sys.argv[2]
    threads, parallel = map(int, sys.argv[3:])
    session = dropbox.create_session(max_connections=threads * parallel)
    uploader = file_transfer.Uploader(dropbox.Dropbox(os.environ["LANDFALL_TOKEN"], session=session))

    def upload(path, to):
        large = path.stat().st_size > LARGE
        options = file_transfer.UploadOptions(parallel_uploads=parallel if large else 0)
        uploader.upload(file_transfer.FileUpload(str(path)), files.CommitInfo(to), options)

    if source.is_file():
        return upload(source, dest)
    paths = [Path(folder) / name for folder, _, names in os.walk(source) for name in names]
    paths.sort(key=lambda path: path.stat().st_size, reverse=True)
    with ThreadPoolExecutor(threads) as pool:
        done = [pool.submit(upload, path, f"{dest}/{path.relative_to(source)}") for path in paths]
    for one in done:
        one.result()


if __name__ == "__main__":
    main()
