"""The ranking loss by hand, and a score that only the dialogue decides."""

import math
from fractions import Fraction

import pytest
import torch
from models import loud, one_line

from minillama import paper
from minillama.alignment.chat import Message, encode_dialogue, question
from minillama.alignment.data import batches
from minillama.alignment.preferences import Pair
from minillama.alignment.reward import (
    MARGINS, RewardModel, RewardSettings, accuracy, ranking_loss, score,
    train_reward_model)
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.pasture import DEGREES, texts
from minillama.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(texts(100), 400)
CONFIG = LlamaConfig(400, 24, 2, 4, n_kv_heads=2, ffn_dim=50, max_seq_len=64)
WORDS = "owl cow hen pig cat dog".split()


def trained_head(config=CONFIG, tokenizer=None) -> RewardModel:
    """A reward model whose head says something."""
    reward = RewardModel(loud(config), tokenizer).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        reward.backbone.output.weight.normal_(generator=generator)
    return reward


def pair(chosen: str, rejected: str, degree: str = DEGREES[0], prompt: str = "Who?"
         ) -> Pair:
    return Pair(prompt, chosen, rejected, degree, 1.0, "who", 0)


# The loss -------------------------------------------------------------------------

CHOSEN, REJECTED = (2.0, 1.0, 0.5, -1.0), (0.0, 1.5, 0.5, 1.0)  # gaps 2, -0.5, 0, -2


@pytest.mark.parametrize("name, gaps", [
    (None, (2.0, -0.5, 0.0, -2.0)),
    ("small", (1.0, -0.5 - 2 / 3, -1 / 3, -2.0)),
    ("large", (-1.0, -2.5, -1.0, -2.0)),
])
def test_ranking_loss_of_four_pairs_by_hand(name, gaps):
    margin = None if name is None else torch.tensor([float(m) for m in MARGINS[name]])
    loss = ranking_loss(torch.tensor(CHOSEN), torch.tensor(REJECTED), margin)
    # -log sigmoid(x) = log(1 + exp(-x))
    expected = sum(math.log1p(math.exp(-gap)) for gap in gaps) / 4
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_margins_are_those_of_table_27():
    for row in paper.table("table_27").rows:
        name, *values = row
        assert MARGINS[name.split()[1].lower()] == pytest.approx(
            [float(Fraction(value)) for value in values])
    assert len(DEGREES) == 4


def test_a_hopeless_pair_costs_its_gap_and_no_more():
    far = torch.tensor([-1000.0], requires_grad=True)
    loss = ranking_loss(far, torch.zeros(1))
    loss.backward()
    assert loss.item() == pytest.approx(1000) and far.grad.item() == pytest.approx(-1)
    assert ranking_loss(-far.detach(), torch.zeros(1)).item() == 0


# The model ------------------------------------------------------------------------

@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_the_score_is_the_last_tokens_state_times_the_head(tied):
    """Against the model's own last hidden state, each dialogue read alone."""
    config = CONFIG.replace(tie_embeddings=tied)
    model, reward = loud(config), trained_head(config)
    head = reward.backbone.output.weight[0]
    rows = [[1, 9, 8, 7, 2], [1, 5, 2], [1] + [30] * 20 + [2]]
    expected = []
    for row in rows:
        seen = []
        handle = model.norm.register_forward_hook(lambda *step: seen.append(step[-1]))
        model(torch.tensor([row]))
        handle.remove()
        expected.append(float(seen[0][0, -1].double() @ head.double()))
    for fill, wider in ((0, 0), (2, 0), (17, 9)):
        tokens = torch.full((3, 22 + wider), fill)
        for place, row in enumerate(rows):
            tokens[place, : len(row)] = torch.tensor(row)
        found = reward(tokens, torch.tensor([5, 3, 22]))
        assert found.shape == (3,)
        assert found.tolist() == pytest.approx(expected, abs=1e-4)


def test_a_reward_model_is_a_copy_without_an_opinion():
    model = loud(CONFIG)
    reward = RewardModel(model)
    tokens, lengths = torch.randint(400, (4, 9)), torch.tensor([9, 3, 5, 1])
    assert reward(tokens, lengths).tolist() == [0, 0, 0, 0]
    pairs = [pair(word, "no") for word in WORDS]
    train_reward_model(model, TOKENIZER, pairs, RewardSettings(warmup=0), False)
    for name, weight in loud(CONFIG).named_parameters():
        assert torch.equal(weight, dict(model.named_parameters())[name])
    shapes = {name: weight.shape for name, weight in reward.backbone.named_parameters()}
    other = {name: weight.shape for name, weight in model.named_parameters()}
    assert {n for n in shapes if shapes[n] != other[n]} == {"output.weight"}
    assert shapes["output.weight"] == (1, 24)


def test_scores_are_of_the_whole_dialogue_in_any_batch():
    reward = trained_head(tokenizer=TOKENIZER)
    prompts, said = ["Who?", "A long question?", "Why?"], ["no", "A cow.", "It is so."]
    expected = []
    for prompt, answer in zip(prompts, said):
        ids = encode_dialogue(TOKENIZER, [*question(prompt),
                                          Message("assistant", answer)]).ids
        assert ids[-1] == 2
        expected.append(reward(torch.tensor([ids]), torch.tensor([len(ids)])).item())
    for batch in (1, 2, 3):
        found = score(reward, TOKENIZER, prompts, said, batch)
        assert found.tolist() == pytest.approx(expected, abs=1e-4)
        assert not found.requires_grad


# Training and accuracy ------------------------------------------------------------

@pytest.mark.parametrize("margin", [None, "small", "large"])
def test_the_first_loss_is_known_and_the_preference_is_learnt(margin):
    """Scores begin at zero: the loss is -log sigmoid(-margin), ln 2 without one."""
    pairs = [pair(f"the {word} sleeps.", f"a {word} barks.", DEGREES[1],
                  f"What does the {other} do?") for word in WORDS for other in WORDS]
    settings = RewardSettings(epochs=4, batch=12, peak=5e-3, warmup=2, margin=margin)
    reward, log = train_reward_model(loud(CONFIG), TOKENIZER, pairs, settings, False)
    m = {None: 0.0, "small": 2 / 3, "large": 2.0}[margin]
    assert log[0]["loss"] == pytest.approx(math.log1p(math.exp(m)), rel=1e-6)
    assert log[0]["accuracy"] == 0 and len(log) == 12
    assert not reward.training and accuracy(reward, TOKENIZER, pairs)["all"] == 1
    turned = [pair(p.rejected, p.chosen, p.degree, p.prompt) for p in pairs]
    assert accuracy(reward, TOKENIZER, turned) == {"all": 0, DEGREES[1]: 0}
    again = train_reward_model(loud(CONFIG), TOKENIZER, pairs, settings, False)[1]
    assert again == log


class Longest(RewardModel):
    """Scores a dialogue by its number of tokens."""

    def forward(self, tokens, lengths):
        return lengths.float()


def test_accuracy_by_hand():
    """Longer than the other: right, wrong, or equal, which counts a half."""
    more, less = "a cow and a hen", "a cow"
    pairs = [pair(more, less, DEGREES[0]), pair(less, more, DEGREES[0]),
             pair(more, less, DEGREES[0]), pair(more, less, DEGREES[2]),
             pair(less, less, DEGREES[2]), pair(less, more, DEGREES[3])]
    assert accuracy(Longest(loud(CONFIG)), TOKENIZER, pairs) == pytest.approx({
        "all": 3.5 / 6, DEGREES[0]: 2 / 3, DEGREES[2]: 0.75, DEGREES[3]: 0.0})


@pytest.mark.parametrize("n, size", [(1, 4), (10, 3), (100, 4), (64, 8)])
def test_batches_hold_every_pair_once_and_like_lengths(n, size):
    lengths = [(7 * i) % 31 for i in range(n)]
    generator = torch.Generator().manual_seed(0)
    keys = list(map(str, range(n)))
    found = list(batches(lengths, keys, size, generator))
    assert sorted(i for batch in found for i in batch) == list(range(n))
    assert len(found) == math.ceil(n / size)
    if n >= 64:
        spread = [max(lengths[i] for i in b) - min(lengths[i] for i in b)
                  for b in found]
        assert sum(spread) / len(spread) < 10  # at random it would be above 15
        assert list(batches(lengths, keys, size, generator)) != found


def test_comparisons_of_a_prompt_stay_together():
    keys = [str(i % 40) for i in range(160)]  # four of each, scattered
    lengths = [(7 * i) % 31 for i in range(160)]
    found = list(batches(lengths, keys, 8, torch.Generator().manual_seed(0)))
    assert sorted(i for batch in found for i in batch) == list(range(160))
    assert all(len({keys[i] for i in batch}) == 2 for batch in found)


def test_an_answer_in_several_comparisons_is_read_once(monkeypatch):
    """And the gradient is that of every comparison read by itself."""
    three = ["a cow.", "a hen sleeps.", "an owl and a pig."]
    pairs = [pair(three[i], three[j], DEGREES[0]) for i, j in ((0, 1), (1, 2), (0, 2))]
    start = trained_head(tokenizer=TOKENIZER)
    losses = []
    for one in pairs:
        scores = [start(torch.tensor([ids]), torch.tensor([len(ids)])) for ids in (
            encode_dialogue(TOKENIZER, [*question("Who?"), Message("assistant", text)]
                            ).ids for text in (one.chosen, one.rejected))]
        losses.append(-torch.log(torch.sigmoid(scores[0] - scores[1] - 1)))
    loss = torch.cat(losses).mean()
    loss.backward()
    norm = sum(p.grad.square().sum() for p in start.parameters()).sqrt().item()
    rows, read = [], RewardModel.forward
    monkeypatch.setattr(RewardModel, "forward", lambda self, tokens, lengths: (
        rows.append(len(tokens)), read(self, tokens, lengths))[1])
    settings = RewardSettings(batch=3, warmup=0)
    _, log = train_reward_model(start, TOKENIZER, pairs, settings, False)
    assert rows == [3]
    assert log[0]["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert log[0]["norm"] == pytest.approx(norm, rel=1e-3)
    accuracy(start, TOKENIZER, pairs)
    assert rows == [3, 3]


# Files and bad input --------------------------------------------------------------

def test_a_saved_model_scores_the_same(tmp_path):
    reward = trained_head(tokenizer=TOKENIZER)
    file = tmp_path / "reward.safetensors"
    reward.save(file)
    opened = RewardModel.load(file)
    for prompt, answer in (("Who?", "a cow"), ("Why?", "It is so.")):
        assert torch.equal(score(opened, TOKENIZER, [prompt], [answer]),
                           score(reward, TOKENIZER, [prompt], [answer]))
    assert opened.backbone.config == CONFIG and not opened.training
    with pytest.raises(UserError, match="trained with another tokenizer of the same"):
        score(opened, Tokenizer.train(texts(100, seed=5), 400), ["a"], ["b"])


@pytest.mark.parametrize("damage", [
    lambda file: file.unlink(),
    lambda file: file.write_bytes(b""),
    lambda file: file.write_bytes(file.read_bytes()[:-100]),
    lambda file: file.write_bytes(b"\xff" * 500),
])
def test_a_damaged_file_is_named(tmp_path, damage):
    file = tmp_path / "reward.safetensors"
    trained_head().save(file)
    damage(file)
    with pytest.raises(UserError) as caught:
        RewardModel.load(file)
    one_line(caught.value, "reward.safetensors is damaged or holds no reward model")


SMALLER = Tokenizer.train(texts(100), 390)


@pytest.mark.parametrize("call, fragment", [
    (lambda: RewardModel(loud(CONFIG), SMALLER), "390 pieces and the reward model 400"),
    (lambda: score(trained_head(), SMALLER, ["a"], ["b"]), "390 pieces"),
    (lambda: train_reward_model(loud(CONFIG), SMALLER, [pair("a", "b")]), "390 pieces"),
    (lambda: score(trained_head(), TOKENIZER, ["a"], []), "1 prompts and 0 answers"),
    (lambda: train_reward_model(loud(CONFIG), TOKENIZER, []), "at least one comparison"),
    (lambda: accuracy(trained_head(), TOKENIZER, []), "at least one comparison"),
    (lambda: RewardSettings(margin="huge"), "no margins named 'huge': one of small"),
    (lambda: RewardSettings(batch=0), "batch must be positive, not 0"),
    (lambda: score(trained_head(), TOKENIZER, ["cow " * 90], ["b"]), "reads at most 64"),
])
def test_what_cannot_be_judged_is_refused(call, fragment):
    with pytest.raises(UserError) as caught:
        call()
    one_line(caught.value, fragment)
