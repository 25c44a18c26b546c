"""Files of torch.save, opened so that they can neither run code nor fill memory.

Such a file is a zip archive of one pickle and many blocks of numbers. A pickle is a
program; ``weights_only=True`` lets it call only what torch holds to be harmless. Even
there is ``bytearray(n)``, which takes what memory a stranger asks for, so before it is
loaded it is looked through, and may name nothing but what a table of tensors needs.
Memory-mapping leaves the numbers on disk until they are looked at.
"""

import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UserError
from .guards import check_file

LARGEST_PICKLE = 2 * 10**6  # bytes; that of a 70B shard takes 0.1 MB
TYPES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte",
         "Bool")
NAMES = {"collections.OrderedDict", "torch._utils._rebuild_tensor_v2",
         "torch._utils._rebuild_parameter", *(f"torch.{kind}Storage" for kind in TYPES)}
# Other ways to name or call things; torch.save, which writes protocol 2, uses none.
UNUSED = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}


def open_pth(file: Path) -> dict[str, Tensor]:
    """The tensors of a .pth by name, memory-mapped and not yet read.

    Raises UserError for what is no archive of tensors.
    """
    check_file(file)
    _check_archive(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one line of ours is enough
            _check_pickle(file)
            content = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except Exception:  # a hostile pickle may raise anything, and means only one thing
        raise UserError(f"{file} is damaged, or it holds more than tensors: nothing in "
                        "it was run") from None
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{file} holds no table of tensors")
    for name, tensor in content.items():
        _check_tensor(file, name, tensor)
    # many names may share one block of numbers, and are copied out one by one
    if sum(tensor.nbytes for tensor in content.values()) > file.stat().st_size:
        raise UserError(f"{file}: its tensors claim more numbers than the file holds")
    return dict(content)


def _check_archive(file: Path) -> None:
    """Every part stored plainly, once, and inside the file.

    torch.save compresses nothing. A compressed pickle is thus no mistake but a bomb:
    a few kilobytes that unfold into gigabytes.
    """
    try:
        size = file.stat().st_size
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except Exception:  # zipfile has many ways to stumble over a damaged directory
        raise UserError(f"{file} is damaged, cut off or no file of torch.save"
                        ) from None
    # torch's reader takes DATA.PKL for data.pkl
    names = [part.filename.lower() for part in parts]
    for part, whole in zip(parts, names):
        name = whole.rpartition("/")[2]
        if (part.compress_type != zipfile.ZIP_STORED
                or part.header_offset + part.file_size > size
                or (name == "data.pkl" and part.file_size > LARGEST_PICKLE)):
            raise UserError(f"{file} is damaged: torch.save writes no such part as "
                            f"{part.filename[:60]!r}")
    if len(set(names)) != len(names):
        raise UserError(f"{file} is damaged: it holds two parts of one name")


def _check_pickle(file: Path) -> None:
    """Raise ValueError for a pickle that names more than a table of tensors needs.

    It is only read, not followed; and it is got by torch's own reader, so that what is
    looked at here is what will be loaded.
    """
    pickle = torch._C.PyTorchFileReader(str(file)).get_record("data.pkl")
    for operation, argument, _ in pickletools.genops(pickle):
        name = operation.name
        if name in UNUSED or (name == "GLOBAL"
                              and argument.replace(" ", ".") not in NAMES):
            raise ValueError(f"the pickle holds {name} {argument}")


def _check_tensor(file: Path, name: object, tensor: object) -> None:
    """A dense tensor whose every number has its place in the file.

    Strides of zero make a tensor of any size from four bytes. Copied out, it would
    take what it claims.
    """
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        raise UserError(f"{file} is no table of tensors: it holds "
                        f"{str(name)[:60]!r}, {type(tensor).__name__}")
    dense = (tensor.layout == torch.strided and tensor.device.type == "cpu"
             and not tensor.is_quantized)
    if not dense or tensor.nbytes > tensor.untyped_storage().nbytes():
        raise UserError(f"{file}: tensor {name[:60]} claims more numbers than the file "
                        "holds")
