"""How known files are taken out of a tar archive, and nothing else that may be hidden in it."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from nnscratch.files import written_whole


def unpack(archive: Path, members: Mapping[str, int], folder: Path) -> None:
    """Extract the ``members`` of a ``.tar.gz`` into ``folder``, each whole or not at all.

    The names written come from ``members``, never from the archive, so that a member called
    ``../evil`` or an absolute path leads nowhere; and a member must be a regular file of the
    known size, so that neither a link nor a disk-filling file is followed. Each is written
    beside its final name and then renamed.

    Parameters
    ----------
    archive : Path
    members : mapping of str to int
        Name in the archive, such as ``"folder/file.bin"``, and size in bytes.
    folder : Path

    Raises
    ------
    ValueError
        If a member is missing, not a regular file or of another size, or the archive is damaged.
    """
    missing = set(members)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:  # in the archive's order: going back would unzip it again
                if member.name in members:
                    _check(member, members[member.name], archive)
                    _extract(tar, member, folder.joinpath(*PurePosixPath(member.name).parts))
                    missing.discard(member.name)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{archive} cannot be unpacked ({error}); expected a whole .tar.gz archive. "
            f"Delete it, so that it is downloaded again."
        ) from error
    if missing:
        raise ValueError(
            f"{archive} lacks {', '.join(sorted(missing))}; expected the official archive. "
            f"Delete it, so that it is downloaded again."
        )


def _check(member: tarfile.TarInfo, size: int, archive: Path) -> None:
    if not member.isreg() or member.size != size:
        kind = f"a file of {member.size:,} bytes" if member.isreg() else "not a regular file"
        raise ValueError(
            f"{member.name} in {archive} is {kind}; expected a regular file of {size:,} bytes. "
            f"Delete the archive, so that it is downloaded again."
        )


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None  # only for what is not a regular file, and _check saw to that
    with written_whole(path) as beside, beside.open("wb") as file:
        shutil.copyfileobj(source, file)
