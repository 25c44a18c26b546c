"""Any other text in place of the Pasture."""

import re
from pathlib import Path

from minillama.errors import UserError

_PARAGRAPH_BREAK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def read_text(path: str | Path) -> list[str]:
    """The paragraphs of a UTF-8 text file, one document each, in their order.

    Line ends of Windows and a byte order mark are removed.

    Raises:
        UserError: no such file, not UTF-8 (with line and byte), or no text in it.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"{path} cannot be read ({reason}); give the path of a text "
                        "file.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path} is not UTF-8: byte {error.start + 1} of the file, on line {line}, "
            f"is 0x{data[error.start]:02x}; save the file as UTF-8 and try again."
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    paragraphs = [part.strip() for part in _PARAGRAPH_BREAK.split(text)]
    documents = [part for part in paragraphs if part]
    if not documents:
        raise UserError(f"{path} holds no text; give a file with at least one line.")
    return documents
