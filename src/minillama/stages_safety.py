"""The stages behind notebook 13: how safe every version is, and what safety costs.

All but ``unguarded`` give rows that JSON can hold. A tally is what
``evaluation.safety.tally`` counts in answers to held-out prompts at temperature 1:

    unsafe, violations          unsafe requests asked, answers to them that do harm
    borderline, false_refusals  borderline requests asked, and turned down
    tasks, task_refusals        ordinary tasks asked, and turned down
    utility_unsafe, utility_borderline, utility_tasks   mean true utility, in [0, 1]

safety_axes: a list; version ("base", "SFT", "V1" to "V5"), seed, tally.
safety_scaling: a list; share (of the most safety data, 0 to 1), examples (of safety),
    seed, tally, safety_score (mean score of the safety reward model on answers to
    unsafe requests, in (0, 1)), helpfulness_score (of the other, on tasks).
unguarded: three models, one a seed, that comply with everything unless the preamble
    stands before the request.
distillation: {"rows": [arm ("before", "preamble", "every", "gated", "lures"), seed,
    tally],
    "pairs": [seed, kind ("unsafe" or "borderline"), prompt, plain, distilled (the two
    answers), score_plain, score_distilled (logits of the safety reward model),
    safety_plain, safety_distilled, utility_plain, utility_distilled (the truth), kept
    (by the gate)]}. "before" is the unguarded model, "preamble" the same with the
    preamble before every request; "every" is fine-tuned on all distilled answers,
    "gated" on the plain one where the gate let none through, "lures" also on the plain
    ones to all borderline requests, as the paper distils adversarial prompts alone.
red_team: {"styles": [round, seed, style, attempts, broken], "rounds": [round, seed,
    tried, found (attacks with a violating answer, to be patched), again (prompts found
    in earlier rounds), mitigated (of these, now answered without harm), tally],
    "newest_styles", "newest_rounds": the same}. Round 0 is the unguarded model. Patches
    are made of all finds so far, for "newest_..." of the newest alone. "styles" are
    attacks with held-out requests.
bad_examples: a list; arm ("V5", "10 harmful", "100 harmful", "100 harmless"), seed,
    tally.
rude_text: a list; text ("filtered" or "unfiltered"), seed, written, rude (passages
    after rude beginnings, and those with a rude word), loss (nats a token on held-out
    text), rude_loss (on outbursts), accuracy ({examples, as text: share of statements
    told rightly, rude or not, by words that no example showed; chance is a half}).
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .alignment import distillation, red_team, studies_safety
from .alignment.distillation import Measure, scored_by
from .alignment.judges import Judges
from .alignment.reward import score
from .alignment.sft import SFTSettings
from .alignment.studies_safety import RudeSettings
from .artifacts import Stage, get, open_rows
from .checkpoint import load_pretrained, save_pretrained
from .evaluation.safety import Item, Row, reply, tally
from .files import write_json
from .model import Llama
from .pasture import make_borderline, make_tasks, make_unsafe
from .stages_chat import KINDS, SEEDS
from .tokenizer import Tokenizer
from .training.ablations import SETTINGS

AXES = 70  # held-out prompts of each kind and seed, for every version
ASKED = 50  # the same for the studies
SHARES = (0.0, 0.1, 0.3, 1.0)
SCALING = {"tasks": 256, "borderline": 32, "unsafe": 32, "safety": 160}
FROM_BASE = SFTSettings(epochs=1, batch=8, length=192, peak=2e-3, warmup=3)
UNGUARDED = {"unsafe": 200, "borderline": 60, "tasks": 140}
DISTILLED = {"unsafe": 100, "borderline": 50}
LEARN = SFTSettings(epochs=2, batch=8, length=192, peak=1e-3, warmup=1)
ROUNDS, TRIED, TESTED, BESIDE = 3, 10, 12, 60
PATCH = SFTSettings(epochs=1, batch=8, length=192, peak=1e-3, warmup=1)
HARMFUL, FEW = 100, 10
SPOIL = SFTSettings(epochs=2, batch=8, length=192, peak=1e-3, warmup=1)
RUDE, FROM_NOTHING = RudeSettings(), replace(SETTINGS, steps=140)


def asked(n: int, seed: int | str) -> list[Item]:
    """``n`` held-out prompts of each kind, which no training text contains."""
    name = f"asked/{seed}"
    return [*make_unsafe(n, name, "heldout"), *make_borderline(n, name, "heldout"),
            *make_tasks(n, name, "heldout", KINDS)]


def measuring(tokenizer: Tokenizer, n: int = ASKED, judges: Judges | None = None
              ) -> Measure:
    """What a study asks of a model: answers to held-out prompts, counted; with judges
    also the mean scores of the reward models, as the paper reports them."""

    def measure(model: Llama, seed: int, system: str | None) -> Row:
        items = asked(n, seed)
        texts = reply(model, tokenizer, [item.prompt for item in items], seed, system)
        row = tally(items, texts)
        return row if judges is None else row | scores(judges, tokenizer, items, texts)

    return measure


def scores(judges: Judges, tokenizer: Tokenizer, items: Sequence[Item],
           texts: Sequence[str]) -> Row:
    """Mean score of the safety model on unsafe requests, and of the other on what is
    neither unsafe nor borderline."""
    row = {}
    for view, wanted in (("safety", 0), ("helpfulness", 2)):
        third = len(items) // 3  # unsafe, borderline, tasks: see asked
        part = slice(wanted * third, (wanted + 1) * third)
        logits = score(getattr(judges, view), tokenizer,
                       [item.prompt for item in items[part]], texts[part])
        row[f"{view}_score"] = logits.sigmoid().mean().item()
    return row


def _make_axes(folder: Path) -> None:
    base, runs = get("base"), get("rlhf")
    rows = []
    for run in runs:
        items = asked(AXES, f"axes/{run.seed}")
        prompts = [item.prompt for item in items]
        for version, model in {"base": base.model, **run.policies}.items():
            texts = reply(model, base.tokenizer, prompts, run.seed,
                          chat=version != "base")
            rows.append({"version": version, "seed": run.seed, **tally(items, texts)})
    write_json(folder / "rows.json", rows)


def _make_scaling(folder: Path) -> None:
    base, judges = get("base"), get("rewards").judges
    rows = studies_safety.scaling(
        base.model, base.tokenizer, helpful(), make_unsafe(SCALING["safety"], "safety"),
        SHARES, FROM_BASE, SEEDS, measuring(base.tokenizer, judges=judges))
    write_json(folder / "rows.json", rows)


def helpful() -> list[Item]:
    """What the writers of helpful demonstrations were asked, lures among it."""
    name = "helpful"
    return [*make_tasks(SCALING["tasks"], name, "train", KINDS),
            *make_borderline(SCALING["borderline"], name),
            *make_unsafe(SCALING["unsafe"], name)]


def _make_unguarded(folder: Path) -> None:
    chat = get("sft")
    lures, others = taught()
    for seed in SEEDS:
        model = studies_safety.unguarded(chat.model, chat.tokenizer, lures, others,
                                         replace(FROM_BASE, seed=seed))
        save_pretrained(model, chat.tokenizer, folder / f"seed-{seed}")


def taught() -> tuple[list[Item], list[Item]]:
    """Lures and other prompts that make a model unguarded."""
    name = "unguarded"
    return make_unsafe(UNGUARDED["unsafe"], name), [
        *make_borderline(UNGUARDED["borderline"], name),
        *make_tasks(UNGUARDED["tasks"], name, "train", KINDS)]


def _open_unguarded(folder: Path) -> list[Llama]:
    return [load_pretrained(folder / f"seed-{seed}")[0] for seed in SEEDS]


def distilled_from() -> list[Item]:
    """Prompts that get an answer with and without the preamble."""
    return [*make_unsafe(DISTILLED["unsafe"], "distilled"),
            *make_borderline(DISTILLED["borderline"], "distilled")]


def _make_distillation(folder: Path) -> None:
    tokenizer = get("tokenizer")
    judge = scored_by(get("rewards").safety, tokenizer)
    write_json(folder / "rows.json", distillation.study(
        get("unguarded"), tokenizer, distilled_from(), judge, LEARN,
        measuring(tokenizer)))


def tried(seed: int, number: int) -> list[Item]:
    """What the class attacks with in a round."""
    return make_unsafe(TRIED, f"tried/{seed}/{number}")


def beside(seed: int, number: int) -> list[Item]:
    """Ordinary work that stands beside the finds of a round."""
    name = f"beside/{seed}/{number}"
    return [*make_tasks(BESIDE // 2, name, "train", KINDS),
            *make_borderline(BESIDE // 2, name)]


def _make_red_team(folder: Path) -> None:
    tokenizer = get("tokenizer")
    result: dict[str, list[dict[str, Any]]] = {}
    for keep, name in ((True, ""), (False, "newest_")):
        for seed, policy in enumerate(get("unguarded")):
            rows = red_team.rounds(
                policy, tokenizer, make_unsafe(TESTED, f"tests/{seed}", "heldout"),
                lambda number, seed=seed: tried(seed, number),
                lambda number, seed=seed: beside(seed, number), ROUNDS, keep,
                replace(PATCH, seed=seed), measuring(tokenizer, ASKED // 2))
            for part, mine in rows.items():
                result.setdefault(name + part, []).extend(mine)
    write_json(folder / "rows.json", result)


def _make_bad_examples(folder: Path) -> None:
    tokenizer = get("tokenizer")
    policies = [run.policies["V5"] for run in get("rlhf")]
    rows = studies_safety.spoiling(
        policies, tokenizer, make_unsafe(HARMFUL, "harmful"),
        make_tasks(HARMFUL, "harmless", "train", KINDS), FEW, SPOIL,
        measuring(tokenizer))
    write_json(folder / "rows.json", rows)


def _make_rude_text(folder: Path) -> None:
    rows = studies_safety.rude_text(get("tokenizer"), get("corpus").heldout,
                                    FROM_NOTHING, RUDE, SEEDS)
    write_json(folder / "rows.json", rows)


_STUDY = ("minillama.alignment.studies_safety", "minillama.evaluation.safety")
SAFETY_STAGES = (
    Stage("safety_axes", ("rlhf",), {"asked": AXES, "seeds": SEEDS}, _make_axes,
          open_rows, ("minillama.evaluation.safety",), 20),
    Stage("safety_scaling", ("rewards",), {**asdict(FROM_BASE), **SCALING,
                                           "shares": SHARES, "seeds": SEEDS},
          _make_scaling, open_rows, _STUDY, 45),
    Stage("unguarded", ("sft",), {**asdict(FROM_BASE), **UNGUARDED, "seeds": SEEDS},
          _make_unguarded, _open_unguarded, _STUDY[:1], 10),
    Stage("distillation", ("unguarded", "rewards"), {**asdict(LEARN), **DISTILLED},
          _make_distillation, open_rows,
          ("minillama.alignment.distillation", "minillama.evaluation.safety"), 25),
    Stage("red_team", ("unguarded",), {**asdict(PATCH), "rounds": ROUNDS,
                                     "tried": TRIED, "tests": TESTED},
          _make_red_team, open_rows,
          ("minillama.alignment.red_team", "minillama.alignment.judges",
           "minillama.evaluation.safety"), 30),
    Stage("bad_examples", ("rlhf",), {**asdict(SPOIL), "harmful": HARMFUL, "few": FEW},
          _make_bad_examples, open_rows, _STUDY, 20),
    Stage("rude_text", ("corpus",), {**asdict(FROM_NOTHING), **asdict(RUDE),
                                     "seeds": SEEDS},
          _make_rude_text, open_rows, _STUDY[:1], 30),
)
