"""RMSNorm against torch's, transformers' and double precision."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from minillama.norm import RMSNorm


def norm_with_gains(
    dim: int, eps: float, dtype: torch.dtype = torch.float32
) -> RMSNorm:
    norm = RMSNorm(dim, eps)
    generator = torch.Generator().manual_seed(dim)
    with torch.no_grad():
        norm.weight.normal_(mean=0.5, generator=generator)  # negative ones among them
    return norm.to(dtype)


def numbers(*shape: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return scale * (torch.randn(*shape, generator=generator) + 1)


@pytest.mark.parametrize("shape", [(1,), (5, 1), (7,), (3, 8), (2, 5, 33), (0, 4),
                                   (2, 1, 3, 128)])
@pytest.mark.parametrize("eps", [1e-5, 1e-6, 0.3])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_equals_torch_with_gains(shape, eps, scale):
    norm, x = norm_with_gains(shape[-1], eps), numbers(*shape, scale=scale)
    truth = F.rms_norm(x, shape[-1:], norm.weight, eps)
    torch.testing.assert_close(norm(x), truth, rtol=2e-6, atol=1e-6)


def test_new_gains_are_one():
    x = numbers(4, 6)
    torch.testing.assert_close(RMSNorm(6)(x), F.rms_norm(x, (6,), None, 1e-5))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1.0, 0.01, 2000.0])  # 2000 squared is no float16
def test_half_precision_is_that_of_transformers_and_near_the_truth(dtype, scale):
    norm, x = norm_with_gains(512, 1e-5, dtype), numbers(9, 512, scale=scale).to(dtype)
    theirs = LlamaRMSNorm(512, 1e-5).to(dtype)
    theirs.weight.data.copy_(norm.weight)
    result = norm(x)
    assert result.dtype == dtype
    assert torch.equal(result, theirs(x))
    exact = F.rms_norm(x.double(), (512,), norm.weight.double(), 1e-5)
    # two roundings, each by half a unit in the last place
    torch.testing.assert_close(result.double(), exact, atol=1e-6,
                               rtol=1.1 * torch.finfo(dtype).eps)


def test_a_mean_in_bfloat16_would_be_noticed():
    """Without gains one rounding is left, and the same in bfloat16 has more error."""
    x = numbers(9, 512).bfloat16()
    exact = F.rms_norm(x.double(), (512,), None, 1e-5)
    poor = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)
    errors = [((result.double() - exact) / exact).abs().max().item()
              for result in (RMSNorm(512).bfloat16()(x), poor)]
    assert errors[0] < 2**-8 * 1.001 < errors[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_zero_vectors_stay_zero_and_have_finite_gradients(dtype):
    norm = norm_with_gains(6, 1e-5, dtype)
    x = numbers(3, 6).to(dtype)
    x[1] = 0
    x.requires_grad_()
    result = norm(x)
    assert torch.equal(result[1], torch.zeros(6, dtype=dtype))
    result.sum().backward()
    assert x.grad.isfinite().all() and norm.weight.grad.isfinite().all()


def test_gradients_are_torchs():
    norm, x = norm_with_gains(10, 1e-5), numbers(4, 10)
    upstream = numbers(4, 10, scale=2.0)
    ours = torch.autograd.grad(norm(x.requires_grad_()), [x, norm.weight], upstream)
    truth = F.rms_norm(x, (10,), norm.weight, 1e-5)
    theirs = torch.autograd.grad(truth, [x, norm.weight], upstream)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@given(st.floats(-1e4, 1e4).filter(lambda c: abs(c) > 0.1), st.integers(1, 40))
def test_equal_features_become_the_gains(value, dim):
    """The mean is not taken away, unlike in LayerNorm, which would give zeros."""
    norm = norm_with_gains(dim, 1e-12)
    expected = norm.weight * (1 if value > 0 else -1)
    torch.testing.assert_close(norm(torch.full((dim,), value)), expected)


def test_each_token_is_normalised_by_itself():
    norm, x = norm_with_gains(5, 1e-5), numbers(2, 4, 5)
    other = x.clone()
    other[1, 2] *= 100
    changed = (norm(other) != norm(x)).any(-1)
    assert changed.nonzero().tolist() in ([], [[1, 2]])  # the length may round
