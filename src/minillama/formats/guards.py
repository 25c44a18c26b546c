"""What is checked before any library opens a stranger's file."""

from pathlib import Path

from ..errors import UserError

LARGEST_JSON = 4 * 10**6  # bytes; the index of a 70B model takes under 0.1 MB
LARGEST_TOKENIZER = 64 * 10**6  # bytes; Llama 3's tokenizer.json takes 9 MB
LARGEST_HEADER = 16 * 10**6  # bytes; that of a 7B shard takes 0.03 MB


def check_file(file: Path, largest: int | None = None) -> None:
    """Raise UserError unless ``file`` is a plain file of its own folder.

    A pipe or a device would never end, and a link out of the folder would present
    some other file of this machine as weights. The one exception is the cache of the
    Hugging Face hub, whose ``snapshots/x`` link into ``blobs`` two floors above.
    """
    if not file.is_file():
        raise UserError(f"{file} is missing, or it is no plain file")
    home, real = file.parent.resolve(), file.resolve()
    homes = [home]
    if home.parent.name == "snapshots":
        homes.append(home.parent.parent / "blobs")
    if not any(real.is_relative_to(place) for place in homes):
        raise UserError(f"{file} is a link that leads out of its folder, to {real}: "
                        "put the file itself there")
    if largest is not None and file.stat().st_size > largest:
        raise UserError(f"{file} has {file.stat().st_size} bytes, too large to be what "
                        "its name says")


def check_safetensors(file: Path) -> None:
    """Refuse a header that would fill memory when it is parsed.

    The first eight bytes give its length. All else (overlaps, sizes, types) is checked
    by the safetensors library, which runs nothing.
    """
    check_file(file)
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    if length > LARGEST_HEADER:
        raise UserError(f"{file} is damaged or no safetensors file: its header would "
                        f"have {length} bytes")
