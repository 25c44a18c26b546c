"""A model laid out over processes, and brought together again."""

from collections.abc import Callable

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions, get_model_state_dict, set_model_state_dict)
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from ..model import Llama
from .team import Team


def spread(build: Callable[[], Llama], team: Team) -> nn.Module:
    """Build a model and lay it out over the team, each process with the same weights.

    They stay float32; what is computed with them is of the team's dtype. ``build`` must
    give the same in every process. Where the model is sharded, only the first process
    ever holds it whole, in the memory of its CPU.
    """
    if team.shard:
        return _sharded(build, team)
    model = build().to(team.device)
    if team.size == 1:
        return model
    # the angles of RoPE never change, so they need not be sent around at every step
    return DistributedDataParallel(model, forward_sync_buffers=False)


def _sharded(build: Callable[[], Llama], team: Team) -> Llama:
    """FSDP2: each block is gathered when it is needed, and so is what is around them.
    """
    weights = build().state_dict() if team.is_first else {}
    with torch.device("meta"):  # shapes without memory
        model = build()
    mesh = torch.distributed.init_device_mesh(team.device.type, (team.size,))
    half = None if team.dtype == torch.float32 else team.dtype
    # gradients are summed in float32; and cosine and sine of RoPE, which enter every
    # block from outside, are not rounded to eight bits, as they would be by default
    policy = MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32,
                                  cast_forward_inputs=False)
    for block in model.layers:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # by default the outermost weights stay gathered until a backward pass, which an
    # evaluation does not have
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    model.to_empty(device=team.device)
    model.reset_rotary()
    model.cos, model.sin = model.cos.to(team.device), model.sin.to(team.device)
    set_model_state_dict(model, weights, options=StateDictOptions(
        full_state_dict=True, broadcast_from_rank0=team.size > 1))
    return model


def collect(model: nn.Module, team: Team) -> Llama | None:
    """The whole model on the CPU of the first process; None on the others."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(model, options=options)
    if not team.is_first:
        return None
    with torch.device("meta"):
        whole = Llama(getattr(model, "module", model).config)
    whole.load_state_dict(weights, assign=True)
    whole.reset_rotary()
    return whole
