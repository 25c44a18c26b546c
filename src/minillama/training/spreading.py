"""A model laid out over processes, and brought together again."""

import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions, get_model_state_dict)
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from ..config import LlamaConfig
from ..model import Llama
from .team import Team


def spread(model: Llama, team: Team) -> nn.Module:
    """Lay a model out over the team, in place where it is sharded.

    Every process must come with the same weights. They stay float32; what is computed
    with them is of the team's dtype.
    """
    if team.shard:
        _shard(model, team)
        return model
    if team.size == 1:
        return model
    # the angles of RoPE never change, so they need not be sent around at every step
    return DistributedDataParallel(model, forward_sync_buffers=False)


def _shard(model: Llama, team: Team) -> None:
    """FSDP2: each block is gathered when it is needed, and so is what is around them.
    """
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


def collect(model: nn.Module, config: LlamaConfig, team: Team) -> Llama | None:
    """The whole model on the CPU of the first process; None on the others."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(model, options=options)
    if not team.is_first:
        return None
    whole = Llama(config)
    whole.load_state_dict(weights)
    return whole
