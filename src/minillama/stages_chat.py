"""The stages behind base: SFT, reward models, RLHF-V1 to V5, and their studies.

Every study has three seeds, but that of over-optimisation one. What is measured is the
truth of the Pasture, on prompts of its held-out split, of which no model and no reward
model has seen any.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from .alignment import studies, studies_rl
from .alignment.data import pack
from .alignment.judges import VIEWS, Item, Judges, compare, divide, settings_of
from .alignment.judging import Judgement, judge_policy, likeliest_utility
from .alignment.ppo import PPOSettings
from .alignment.preferences import Pair, Source, written
from .alignment.reward import RewardModel, RewardSettings, train_reward_model
from .alignment.rlhf import RLHFSettings, run
from .alignment.sft import Row, SFTSettings, demonstrations, finetune
from .artifacts import Stage, get, open_rows
from .checkpoint import load_pretrained, save_pretrained
from .files import read_json, write_json
from .model import Llama
from .pasture import Annotator, make_borderline, make_tasks, make_unsafe
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Chat:
    """A fine-tuned model with the history of its training."""

    model: Llama
    tokenizer: Tokenizer
    log: list[Row]


@dataclass(frozen=True)
class Rewards:
    """Both reward models, and the comparisons of each view."""

    helpfulness: RewardModel
    safety: RewardModel
    train: dict[str, list[Pair]]
    heldout: dict[str, list[Pair]]
    log: dict[str, list[Row]]

    @property
    def judges(self) -> Judges:
        """The two models as PPO takes them."""
        return Judges(self.helpfulness, self.safety)


@dataclass(frozen=True)
class Aligned:
    """One run of RLHF: its versions, its last reward models, its judgement."""

    seed: int
    policies: dict[str, Llama]  # "SFT", "V1" to "V5"
    helpfulness: RewardModel
    safety: RewardModel
    rounds: list[Row]
    ppo: list[Row]
    judged: dict[str, Judgement]  # of answers drawn at temperature 1
    likeliest: dict[str, float]  # true utility of the likeliest answers


@dataclass(frozen=True)
class Ghost:
    """Models with and without Ghost Attention, and compliance by turn."""

    models: dict[str, Llama]
    tokenizer: Tokenizer
    rows: list[dict[str, Any]]


SEEDS = (0, 1, 2)
# What a base of this size can learn to answer, and food, which it only half can. Of the
# other kinds (who, home, sum, sort) its answers are nearly guesses, and a reward model
# made of it cannot tell right from wrong there: comparing them teaches noise.
KINDS = ("count", "food", "letter", "rhyme", "sound", "story", "title", "truth")
SFT = SFTSettings(epochs=2, batch=12, length=192, peak=2e-3, warmup=10)
STUDY = SFTSettings(epochs=1, batch=8, length=192, peak=2e-3, warmup=3)
DEMONSTRATIONS = 3000
CARELESS = 1 / 3  # of the demonstrations: people write worse than they judge
REWARD = RewardSettings(peak=1e-3)
OWN = RewardSettings(peak=5e-4)  # for our comparisons, after the public ones
PUBLIC = {"train": 8000, "heldout": 500}
STUDIED = 300  # held-out comparisons on which the many models of a study are tried
COMPARED = {"train": 3000, "heldout": 600}
UNSAFE = 0.2  # of what is compared: the safety model needs its share
RLHF = RLHFSettings()
FORGETFUL = replace(RLHF, prompts=100)
JUDGED = 300  # held-out prompts
WEAK = 300  # comparisons of the weak reward models
BETAS = (0.0, 0.05)
OVER = PPOSettings(iterations=25, max_new_tokens=40, policy_rate=3e-4, value_warmup=3)
OBEDIENCE = SFTSettings(epochs=2, batch=8, length=255, peak=3e-3, warmup=10)
GHOST = SFTSettings(epochs=3, batch=8, length=255, peak=2e-3, warmup=5)
DIALOGUES = {"obedience": 1600, "ghost": 400, "long": 200, "asked": 60}
TURNS, LONG = (1, 2, 3, 4), (5, 6)  # of dialogues; the context holds six


def prompts(n: int, seed: int | str, split: str = "train", unsafe: float = 0.1
            ) -> list[Item]:
    """``n`` prompts in random order: a share of unsafe requests, as many that only
    sound so, and tasks."""
    few = round(n * unsafe)
    items = [*make_tasks(n - 2 * few, seed, split, KINDS),
             *make_unsafe(few, seed, split), *make_borderline(few, seed, split)]
    Random(f"prompts/{seed}/{split}").shuffle(items)
    return items


def heldout_prompts() -> list[Item]:
    """The prompts on which the versions are judged. Settings were chosen on others, but
    for the number of prompts a round."""
    return prompts(JUDGED, "verdict", "heldout")


def _make_sft(folder: Path) -> None:
    base = get("base")
    examples = demonstrations(prompts(DEMONSTRATIONS, "sft"), base.tokenizer, CARELESS)
    log = finetune(base.model, pack(examples, SFT.length), SFT)
    save_pretrained(base.model, base.tokenizer, folder / "model")
    write_json(folder / "log.json", log)


def _open_sft(folder: Path) -> Chat:
    return Chat(*load_pretrained(folder / "model"), read_json(folder / "log.json"))


def _make_sft_study(folder: Path) -> None:
    base = get("base")
    asked = make_tasks(240, "judged", "heldout", KINDS)
    rows = studies.quality(base.model, base.tokenizer, prompts(2400, "study"), asked,
                           get("corpus").heldout, STUDY, SEEDS)
    write_json(folder / "rows.json", rows)


def public(split: str) -> dict[str, list[Pair]]:
    """Comparisons of written answers for both reward models."""
    items = divide(prompts(PUBLIC[split], "public", split), 0)
    return {view: written(mine, Annotator(view)) for view, mine in items.items()}


def _save_judges(judges: Judges, folder: Path) -> None:
    for view in VIEWS:
        getattr(judges, view).save(folder / f"{view}.safetensors")


def _load_judges(folder: Path) -> list[RewardModel]:
    """Both, in the order of VIEWS."""
    return [RewardModel.load(folder / f"{view}.safetensors") for view in VIEWS]


def _make_rewards(folder: Path) -> None:
    chat, first = get("sft"), public("train")
    sources = [Source(chat.model), Source(chat.model), Source(chat.model, 1.3)]
    pairs = {split: compare(sources, prompts(n, "compared", split, UNSAFE),
                            chat.tokenizer, 0) for split, n in COMPARED.items()}
    log, models = {}, {}
    for view in VIEWS:
        model, log[view] = chat.model, []
        own = pairs["train"][view]
        beside = first[view][: len(own)]  # lest what they taught be lost
        for settings, mine in ((REWARD, first[view]), (OWN, own + beside)):
            model, rows = train_reward_model(model, chat.tokenizer, mine,
                                             settings_of(view, settings), label=view)
            log[view] += rows
        models[view] = model
    _save_judges(Judges(**models), folder)
    write_json(folder / "log.json", log)
    write_json(folder / "pairs.json", {
        split: {view: [asdict(pair) for pair in pairs[split][view]] for view in VIEWS}
        for split in COMPARED})


def _open_rewards(folder: Path) -> Rewards:
    pairs = ({view: [Pair(**pair) for pair in mine] for view, mine in part.items()}
             for part in read_json(folder / "pairs.json").values())
    return Rewards(*_load_judges(folder), *pairs, read_json(folder / "log.json"))


def _make_reward_study(folder: Path) -> None:
    chat = get("sft")
    train, heldout = (public(split)["helpfulness"] for split in PUBLIC)
    heldout = heldout[:STUDIED]
    scaling = studies.reward_scaling(chat.model, chat.tokenizer, train, heldout,
                                     (200, 500, 1400), (2, 4), REWARD, SEEDS)
    margins = studies.margins(chat.model, chat.tokenizer, train, heldout, 700, REWARD,
                              SEEDS)
    write_json(folder / "rows.json", {"scaling": scaling, "margins": margins})


def _make_rlhf(folder: Path) -> None:
    chat, rewards, first = get("sft"), get("rewards"), public("train")
    known = {view: mine + first[view][: len(mine)]
             for view, mine in rewards.train.items()}
    asked = heldout_prompts()
    for seed in SEEDS:
        settings = replace(RLHF, seed=seed)
        result = run(chat.model, rewards.judges, known,
                     prompts(settings.prompts * (settings.rounds + 1), f"rlhf/{seed}"),
                     chat.tokenizer, settings)
        judged = {name: asdict(judge_policy(policy, chat.model, result.judges, asked,
                                            chat.tokenizer, seed=seed))
                  for name, policy in result.policies.items()}
        sure = {name: likeliest_utility(policy, asked, chat.tokenizer)
                for name, policy in result.policies.items()}
        place = folder / f"seed-{seed}"
        for name, policy in result.policies.items():
            save_pretrained(policy, chat.tokenizer, place / name)
        _save_judges(result.judges, place)
        write_json(place / "notes.json", {"rounds": result.rounds, "ppo": result.ppo,
                                          "judged": judged, "likeliest": sure})


def _open_rlhf(folder: Path) -> list[Aligned]:
    runs = []
    for seed in SEEDS:
        place = folder / f"seed-{seed}"
        notes = read_json(place / "notes.json")
        judged = {name: Judgement(**one) for name, one in notes["judged"].items()}
        policies = {name: load_pretrained(place / name)[0] for name in judged}
        runs.append(Aligned(seed, policies, *_load_judges(place), notes["rounds"],
                            notes["ppo"], judged, notes["likeliest"]))
    return runs


def _make_forgetting(folder: Path) -> None:
    chat = get("sft")
    rows = studies_rl.forgetting(
        chat.model, get("rewards").judges,
        prompts(FORGETFUL.prompts * FORGETFUL.rounds, "forgetting"),
        heldout_prompts(), chat.tokenizer, FORGETFUL, SEEDS)
    write_json(folder / "rows.json", rows)


def _make_overoptimisation(folder: Path) -> None:
    chat, strong = get("sft"), get("rewards")
    weak = [train_reward_model(chat.model, chat.tokenizer, strong.train[view][:WEAK],
                               settings_of(view, REWARD), label=f"weak {view}")[0]
            for view in VIEWS]
    rows = studies_rl.overoptimisation(
        chat.model, {"weak": Judges(*weak), "strong": strong.judges}, BETAS,
        prompts(1000, "overoptimisation"), chat.tokenizer, OVER)
    write_json(folder / "rows.json", rows)


def _make_ghost(folder: Path) -> None:
    chat = get("sft")
    policy = studies_rl.obedient(chat.model, chat.tokenizer, DIALOGUES["obedience"],
                                 OBEDIENCE)
    models, rows = studies_rl.ghost_attention(
        policy, chat.tokenizer, DIALOGUES["ghost"], TURNS, DIALOGUES["long"], LONG,
        GHOST, SEEDS, DIALOGUES["asked"], LONG[-1])
    for side, model in models.items():
        save_pretrained(model, chat.tokenizer, folder / side)
    write_json(folder / "rows.json", rows)


def _open_ghost(folder: Path) -> Ghost:
    models = {side: load_pretrained(folder / side)[0] for side in ("with", "without")}
    return Ghost(models, get("tokenizer"), open_rows(folder))


CHAT_STAGES = (
    Stage("sft", ("base",), {**asdict(SFT), "demonstrations": DEMONSTRATIONS,
                             "careless": CARELESS, "kinds": KINDS},
          _make_sft, _open_sft, ("minillama.alignment.sft",), 30),
    Stage("sft_study", ("base",), {**asdict(STUDY), "mixes": studies.MIXES,
                                   "seeds": SEEDS},
          _make_sft_study, open_rows, ("minillama.alignment.studies",), 40),
    Stage("rewards", ("sft",), {**asdict(REWARD), "own": asdict(OWN), "public": PUBLIC,
                                **COMPARED, "unsafe": UNSAFE},
          _make_rewards, _open_rewards, ("minillama.alignment.judges",), 80),
    Stage("reward_study", ("sft",), {**asdict(REWARD), "public": PUBLIC,
                                     "studied": STUDIED, "seeds": SEEDS},
          _make_reward_study, open_rows,
          ("minillama.alignment.studies", "minillama.alignment.judges"), 80),
    Stage("rlhf", ("rewards",), {**asdict(RLHF), "seeds": SEEDS, "judged": JUDGED},
          _make_rlhf, _open_rlhf,
          ("minillama.alignment.rlhf", "minillama.alignment.judging"), 380),
    Stage("forgetting", ("rewards",), {**asdict(FORGETFUL), "seeds": SEEDS},
          _make_forgetting, open_rows, ("minillama.alignment.studies_rl",), 60),
    Stage("overoptimisation", ("rewards",), {**asdict(OVER), "betas": BETAS,
                                             "weak": WEAK},
          _make_overoptimisation, open_rows, ("minillama.alignment.studies_rl",), 100),
    Stage("ghost", ("sft",), {**asdict(GHOST), "obedience": asdict(OBEDIENCE),
                              "turns": TURNS, "beyond": LONG, **DIALOGUES,
                              "seeds": SEEDS},
          _make_ghost, _open_ghost, ("minillama.alignment.studies_rl",), 200),
)
