"""Facts that the ledger derives, computed anew from sizes and printed tables."""

import json
import math

import pytest

from minillama import paper
from minillama.paper import ledger

TABLES = json.loads((ledger.DATA / "llama2.json").read_text(encoding="utf-8"))["tables"]
SIZES = {  # width, layers, heads, key-value heads, feed-forward width
    "7B": (4096, 32, 32, 32, 11008), "13B": (5120, 40, 40, 40, 13824),
    "34B": (8192, 48, 64, 8, 22016), "70B": (8192, 80, 64, 8, 28672)}
VOCABULARY = 32000


def parameters(size: str) -> int:
    d, layers, heads, kv, f = SIZES[size]
    block = 2 * d * d + 2 * d * (d // heads) * kv + 3 * d * f + 2 * d
    return 2 * VOCABULARY * d + layers * block + d


def short(label: str) -> str:
    return label.split(" ")[0]


@pytest.mark.parametrize("size", SIZES)
def test_parameters(size):
    known = paper.fact(f"params_{size.lower()}").value
    assert known == parameters(size)


def test_parameters_without_embeddings():
    for label, value in paper.fact("params_non_embedding").value.items():
        size = short(label)
        whole = paper.fact(f"params_{size.lower()}").value
        assert value == whole - 2 * VOCABULARY * SIZES[size][0]


def test_training_compute_and_utilisation():
    flops, mfu = (paper.fact(f"{name}_derived").value for name in ("flops", "mfu"))
    for label, value in flops.items():
        computed = 6 * parameters(short(label)) * 2e12
        assert math.isclose(value, computed, rel_tol=2e-3)
        hours = paper.table("table_2").cell(f"Llama 2 {short(label)}", "GPU hours")
        assert abs(mfu[label] - computed / (hours * 3600 * 312e12)) < 0.0051


def test_steps_and_cache():
    assert paper.fact("steps_derived").value == 2e12 / 4e6
    for label, value in paper.fact("kv_cache_derived").value.items():
        d, layers, heads, kv, _ = SIZES[short(label)]
        kept = heads if "MHA" in label else kv
        assert value == 2 * layers * kept * (d // heads) * 2, label


def test_carbon():
    rows = TABLES["table_2"]["rows"][:4]
    assert all("Llama 2" in row[0] for row in rows) and len(rows) == 4
    assert abs(paper.fact("carbon_total").value - sum(row[3] for row in rows)) < 0.05
    printed = paper.fact("carbon_intensity_derived").value
    for name, hours, watts, tonnes in rows:
        assert abs(tonnes * 1000 / (hours * watts / 1000) - printed) < 3e-4, name


def test_sums_of_the_preference_data():
    *counts, total = [row[1] for row in TABLES["table_6"]["rows"]]
    assert len(counts) == 8 and "1,577" in paper.fact("pref_grand_total_sum").what
    assert total == sum(counts) - 1577
    assert paper.fact("pref_grand_total_sum").value == sum(counts)
    ours = paper.table("table_6").cell("Meta (Safety & Helpfulness)", "comparisons")
    assert paper.fact("pref_open_source_sum").value == sum(counts) - ours


def test_averages_that_the_paper_prints_otherwise():
    for model, values in paper.fact("math_column_anomaly").value.items():
        name, size = model.rsplit(" ", 1)
        cell = paper.table("table_25").cell
        both = [cell(f"{name} / {size}", column) for column in ("GSM8K", "MATH")]
        assert math.isclose(values["average_from_table_25"], sum(both) / 2)
        assert values["printed"] == both[0] == paper.table("table_3").cell(
            f"{name} / {size}", "Math")
    for model, values in paper.fact("rm_avg_note").value.items():
        row = next(r for r in TABLES["table_7"]["rows"] if r[0] == model)
        assert abs(values["plain_mean"] - sum(row[1:7]) / 6) < 0.0051
        assert values["printed"] == row[7]
