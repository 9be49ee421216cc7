"""What transfer.py uploads: files that are the same ones on each machine."""

import random
from dataclasses import dataclass
from pathlib import Path

# First: it says where the modules of `harness` are.
import ingest  # noqa: F401
from content import ContentHash

KIB, MIB, GIB = 2**10, 2**20, 2**30

SMALL_FILES = 10_000
SMALL_SIZE = 10 * KIB
PHOTO_FILES = 5_000
PHOTO_BYTES = 4 * GIB
# Sizes of photos are spread like the logarithm of a bell curve about this one, within bounds.
PHOTO_MEDIAN = 400 * KIB
PHOTO_SPREAD = 0.7
PHOTO_SIZES = (100 * KIB, 3 * MIB)
VIDEO_SIZES = (50 * MIB, 400 * MIB)
# As people sort them: a folder for a day or a journey.
IN_A_FOLDER = 50
# Of files that are written in one go.
AT_ONCE = 4 * MIB


@dataclass(frozen=True)
class Source:
    """A file or a folder on the disk."""

    path: Path
    files: int
    bytes: int
    # Path in the account, size and content hash of each, for a source that is put into the root.
    wanted: dict


def big(folder, scale):
    """One file of 2 GiB."""
    return made(folder, "big", [("", int(2 * GIB * scale))])


def small(folder, scale, name="small"):
    """10,000 files of 10 KiB, a hundred to a folder."""
    count = max(1, int(SMALL_FILES * scale))
    return made(folder, name, [(f"{nth // 100:03}/{nth:05}.bin", SMALL_SIZE) for nth in range(count)])


def photos(folder, scale):
    """A tree like a library of photos: 5,000 files, 4 GiB, of which some videos are nearly half."""
    dice = random.Random(1)
    count, total = max(2, int(PHOTO_FILES * scale)), int(PHOTO_BYTES * scale)
    sizes = []
    # The videos are what is left: as many as their sizes make, the last as large as it comes.
    photos = photo_sizes(dice, count)
    left = total - sum(photos)
    while left > 0:
        size = min(left, int(random_between(dice, *VIDEO_SIZES) * min(1, scale * 10)))
        sizes.append(("mp4", size))
        left -= size
    sizes += [("jpg", size) for size in photos[: count - len(sizes)]]
    dice.shuffle(sizes)
    named = []
    for nth, (ending, size) in enumerate(sizes):
        day = nth // IN_A_FOLDER
        named.append((f"{2016 + day // 12}/{1 + day % 12:02}/IMG_{nth:05}.{ending}", size))
    return made(folder, "photos", named)


def photo_sizes(dice, count):
    low, high = PHOTO_SIZES
    return [int(min(high, max(low, PHOTO_MEDIAN * dice.lognormvariate(0, PHOTO_SPREAD)))) for _ in range(count)]


def random_between(dice, low, high):
    """Each doubling is as likely as another one."""
    return low * (high / low) ** dice.random()


def made(folder, name, files):
    """Writes random bytes to files of these names (below a folder, or one file without a name)
    and sizes."""
    dice = random.Random(name)
    root = folder / name
    wanted = {}
    for tail, size in files:
        path = root / tail
        path.parent.mkdir(parents=True, exist_ok=True)
        content = ContentHash()
        with open(path, "wb") as file:
            for begin in range(0, size, AT_ONCE):
                data = dice.randbytes(min(AT_ONCE, size - begin))
                content.update(data)
                file.write(data)
        wanted["/" + str(path.relative_to(folder))] = (size, content.hexdigest())
    return Source(root, len(files), sum(size for _, size in files), wanted)
