"""RoPE against complex numbers and transformers; both layouts, both permutations."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import one_line
from transformers import LlamaConfig as TheirConfig
from transformers.models.llama.modeling_llama import (
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)

from minillama.errors import UserError
from minillama.rope import (
    LAYOUTS,
    apply_rope,
    halves_to_interleaved,
    interleaved_to_halves,
    rotary_table,
)

SHAPES = [(2, 1, 1e4), (4, 9, 1e4), (6, 40, 1e6), (128, 300, 500.0)]
# ours: where transformers keeps it
ORDER = {"interleaved": lambda x: torch.cat([x[..., 0::2], x[..., 1::2]], -1),
         "halves": lambda x: x}


def heads(batch: int, length: int, n_heads: int, head_dim: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, n_heads, head_dim, generator=generator)


def pair_columns(head_dim: int, layout: str) -> tuple[torch.Tensor, torch.Tensor]:
    pair = torch.arange(head_dim // 2)
    if layout == "interleaved":
        return 2 * pair, 2 * pair + 1
    return pair, pair + head_dim // 2


def exact_angle(head_dim: int, positions: torch.Tensor, theta: float) -> torch.Tensor:
    pair = torch.arange(head_dim // 2, dtype=torch.float64)
    return positions.double()[..., None] * theta ** (-2 * pair / head_dim)


def turned(x: torch.Tensor, angle: torch.Tensor, layout: str) -> torch.Tensor:
    """Each pair as a complex number times e^(i angle), in double precision."""
    first, second = pair_columns(x.shape[-1], layout)
    whole = torch.complex(x[..., first].double(), x[..., second].double())
    whole = whole * torch.polar(torch.ones_like(angle), angle).unsqueeze(-2)
    result = torch.empty_like(x, dtype=torch.float64)
    result[..., first], result[..., second] = whole.real, whole.imag
    return result


@pytest.mark.parametrize("head_dim, length, theta", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_table_holds_the_angles(head_dim, length, theta, scale):
    cos, sin = rotary_table(head_dim, length, theta, scale)
    angle = exact_angle(head_dim, torch.arange(length) / scale, theta)
    assert cos.shape == sin.shape == (length, head_dim // 2)
    assert cos.dtype == sin.dtype == torch.float32
    torch.testing.assert_close(cos.double(), angle.cos(), rtol=0, atol=1e-4)
    torch.testing.assert_close(sin.double(), angle.sin(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("head_dim, length, theta", [*SHAPES, (64, 8192, 1e4)])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_table_is_that_of_transformers(head_dim, length, theta, scale):
    """To the last bits: the exact angles would differ from it at far positions."""
    kind = {"rope_type": "default"} if scale == 1 else {"rope_type": "linear",
                                                        "factor": scale}
    config = TheirConfig(hidden_size=head_dim, num_attention_heads=1,
                         rope_parameters={**kind, "rope_theta": theta})
    theirs = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.arange(length)[None])
    # a scale enters them by the frequency and us by the position: one more rounding
    atol = 2e-7 if scale == 1 else length * 1.3e-7
    for ours, their in zip(rotary_table(head_dim, length, theta, scale), theirs):
        torch.testing.assert_close(ours, their[0, :, : head_dim // 2],
                                   rtol=0, atol=atol)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("head_dim, length, theta", SHAPES)
def test_rotation_is_that_of_complex_numbers(layout, head_dim, length, theta):
    x = heads(2, length, 3, head_dim)
    result = apply_rope(x, *rotary_table(head_dim, length, theta), layout)
    angle = exact_angle(head_dim, torch.arange(length), theta)
    torch.testing.assert_close(result.double(), turned(x, angle, layout),
                               rtol=0, atol=5e-4)
    assert result.dtype == x.dtype and result.shape == x.shape


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("head_dim, length, theta", SHAPES)
def test_rotation_is_that_of_transformers(layout, head_dim, length, theta):
    query, key = heads(2, length, 6, head_dim), heads(2, length, 3, head_dim, seed=1)
    cos, sin = rotary_table(head_dim, length, theta)
    both = [torch.cat([part, part], -1)[None] for part in (cos, sin)]
    theirs = apply_rotary_pos_emb(ORDER[layout](query), ORDER[layout](key), *both,
                                  unsqueeze_dim=2)
    for ours, their in zip((query, key), theirs):
        result = ORDER[layout](apply_rope(ours, cos, sin, layout))
        torch.testing.assert_close(result, their, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_of_a_batch_may_stand_at_different_positions(layout):
    x, positions = heads(3, 4, 2, 8), torch.tensor([[0, 1, 2, 3], [7, 8, 9, 10],
                                                    [5, 3, 5, 0]])
    cos, sin = rotary_table(8, 11)
    result = apply_rope(x, cos[positions], sin[positions], layout)
    angle = exact_angle(8, positions, 1e4)
    torch.testing.assert_close(result.double(), turned(x, angle, layout),
                               rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(query_at=st.integers(0, 99), key_at=st.integers(0, 99),
       shift=st.integers(0, 400))
def test_scores_depend_on_the_distance_alone(layout, query_at, key_at, shift):
    cos, sin = rotary_table(16, 500)
    query, key = heads(1, 1, 1, 16), heads(1, 1, 1, 16, seed=1)

    def score(m: int, n: int) -> torch.Tensor:
        turned_query = apply_rope(query, cos[m : m + 1], sin[m : m + 1], layout)
        return (turned_query * apply_rope(key, cos[n : n + 1], sin[n : n + 1],
                                          layout)).sum()

    near, far = score(query_at, key_at), score(query_at + shift, key_at + shift)
    torch.testing.assert_close(near, far, rtol=0, atol=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_distance_matters_and_its_sign(layout):
    """Otherwise the test above could not fail."""
    cos, sin = rotary_table(16, 3)
    query = heads(1, 1, 1, 16).expand(1, 3, 1, 16)
    turned_query = apply_rope(query, cos, sin, layout)[0, :, 0]
    other = apply_rope(heads(1, 1, 1, 16, seed=1).expand(1, 3, 1, 16), cos, sin, layout)
    scores = turned_query @ other[0, :, 0].T
    assert (scores[0, 1] - scores[0, 0]).abs() > 0.1
    assert (scores[0, 1] - scores[1, 0]).abs() > 0.1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16_is_rounded_once(layout):
    x = heads(2, 30, 2, 8).bfloat16()
    table = rotary_table(8, 30)
    result = apply_rope(x, *table, layout)
    exact = turned(x, exact_angle(8, torch.arange(30), 1e4), layout)
    assert torch.equal(result, apply_rope(x.float(), *table, layout).bfloat16())
    torch.testing.assert_close(result.double(), exact, rtol=2**-8, atol=1e-5)


@pytest.mark.parametrize("n_heads, head_dim, dim", [(1, 2, 3), (4, 6, 24), (2, 8, 5),
                                                    (32, 128, 4)])
def test_permutations_move_row_by_row(n_heads, head_dim, dim):
    rows = n_heads * head_dim
    weight = torch.arange(rows * dim).reshape(rows, dim)
    halves = interleaved_to_halves(weight, n_heads)
    for row in range(rows):
        head, within = divmod(row, head_dim)
        pair, member = divmod(within, 2)
        place = head * head_dim + member * (head_dim // 2) + pair
        assert torch.equal(halves[place], weight[row])
    assert torch.equal(halves_to_interleaved(halves, n_heads), weight)
    assert torch.equal(interleaved_to_halves(halves_to_interleaved(weight, n_heads),
                                             n_heads), weight)


def test_permuted_projections_give_the_same_scores_with_grouped_keys():
    """The whole point: 6 query heads and 2 key heads, one model in two layouts."""
    x = heads(1, 9, 1, 20)[:, :, 0]
    query, key = heads(1, 48, 1, 20)[0, :, 0], heads(1, 16, 1, 20, seed=1)[0, :, 0]
    table = rotary_table(8, 9)

    def scores(query_weight: torch.Tensor, key_weight: torch.Tensor, layout: str):
        q = apply_rope((x @ query_weight.T).unflatten(-1, (6, 8)), *table, layout)
        k = apply_rope((x @ key_weight.T).unflatten(-1, (2, 8)), *table, layout)
        return torch.einsum("blhd,bmhd->bhlm", q, k.repeat_interleave(3, dim=2))

    ours = scores(query, key, "interleaved")
    right = scores(interleaved_to_halves(query, 6), interleaved_to_halves(key, 2),
                   "halves")
    torch.testing.assert_close(ours, right, rtol=1e-5, atol=1e-3)
    # keys permuted with another number of heads: right shape, plausible, and wrong
    wrong = scores(interleaved_to_halves(query, 6), interleaved_to_halves(key, 4),
                   "halves")
    assert (ours - wrong).abs().max() > 1
    assert (ours - scores(query, key, "halves")).abs().max() > 1


@pytest.mark.parametrize("call, fragment", [
    (lambda: rotary_table(7, 3), "head_dim 7"),
    (lambda: apply_rope(heads(1, 2, 1, 4), *rotary_table(4, 2), "askew"), "'askew'"),
    (lambda: interleaved_to_halves(torch.zeros(6, 4), 2), "6 rows"),
    (lambda: halves_to_interleaved(torch.zeros(8, 4), 3), "3 heads"),
])
def test_refusals(call, fragment):
    with pytest.raises(UserError) as caught:
        call()
    one_line(caught.value, fragment)
