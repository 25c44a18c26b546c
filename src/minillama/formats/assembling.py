"""A model put together from tensors that arrive one at a time."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..config import LlamaConfig
from ..errors import UserError
from ..model import Llama

MOST_LAYERS = 1000  # 405B has 126
LARGEST_TABLE = 2**28  # positions times channels of a head; 4096 times 128 in Llama 2
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def empty_model(config: LlamaConfig, source: object) -> Llama:
    """A model on the "meta" device: every shape, and no byte of weights.

    Raises UserError for sizes that no tensor can have, and for those that a small file
    can claim: layers by the million, and angles, which no file stores. ``source`` is
    whom to blame.
    """
    if config.n_layers > MOST_LAYERS:
        raise UserError(f"{source} calls for {config.n_layers} layers, and no Llama "
                        f"has over {MOST_LAYERS}: the file is damaged")
    if config.max_seq_len * config.head_dim > LARGEST_TABLE:
        raise UserError(f"{source} calls for the angles of {config.max_seq_len} "
                        f"positions and heads of {config.head_dim} channels, which is "
                        "too large: the file is damaged")
    try:
        with torch.device("meta"):
            return Llama(config)
    except (RuntimeError, TypeError, OverflowError):
        raise UserError(f"{source} calls for a model that is too large to exist: the "
                        "file is damaged") from None


def fill(model: Llama, weights: Iterable[tuple[str, Tensor]],
         device: torch.device | str, source: object) -> Llama:
    """Give an empty model its weights, by our names; returns it, ready to be read.

    Only a reference is kept of each tensor, so memory holds the model once and
    whatever the iterator has open. Raises UserError for a wrong shape or number.
    """
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    tied = model.config.tie_embeddings
    found: dict[str, Tensor] = {}
    for name, tensor in weights:
        if tensor.shape != shapes[name]:
            raise UserError(f"{source}: {name} has shape {tuple(tensor.shape)} where "
                            f"{tuple(shapes[name])} is called for")
        found[name] = tensor
    if tied:
        found["output.weight"] = found["embedding.weight"]
    missing = sorted(shapes.keys() - found.keys())
    if missing:
        raise UserError(f"{source} lacks {len(missing)} tensors, among them "
                        f"{missing[0]}")
    model.load_state_dict(found, assign=True)
    if tied:  # assigning made two parameters of one tensor
        model.output.weight = model.embedding.weight
    model.reset_rotary()  # no file stores the angles
    return model.to(device).eval()


def check_dtype(dtype: torch.dtype | None) -> None:
    """Raise UserError for a type in which this model does not compute."""
    if dtype is not None and dtype not in FLOATS:
        names = ", ".join(str(each).removeprefix("torch.") for each in FLOATS)
        raise UserError(f"weights cannot be opened as {dtype}: choose one of {names}")


def common_dtype(dtypes: Iterable[torch.dtype | str], source: object) -> torch.dtype:
    """The narrowest type that holds all of ``dtypes`` exactly.

    Some writers keep norms in float32 and matrices in bfloat16; the model computes in
    one type. Raises UserError for integers and eight-bit floats, which need scales
    that a plain Llama does not have.
    """
    common: torch.dtype | None = None
    for dtype in set(dtypes):
        if dtype not in FLOATS:
            raise UserError(f"{source} holds {dtype}: only unquantised float weights "
                            "are read")
        common = dtype if common is None else torch.promote_types(common, dtype)
    if common is None:
        raise UserError(f"{source} holds no tensors")
    return common
