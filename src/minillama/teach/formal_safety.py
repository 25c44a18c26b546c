r"""The formal algorithms of the safety hour, as data.

Notation as in ``formal_alignment``: $x$ a prompt, $y$ an answer, $\pi$ a policy, $R$
the score of the safety reward model; $C$ is a preamble that stands before a prompt.
"""

from .notation import Algorithm, steps

SAFETY = {
    "wilson": Algorithm(
        "Interval of a rate",
        (r"$k$ hits among $n \geq 1$ independent answers; $z = 1.96$",),
        r"all rates $p$ with $|p - k/n| \leq z \sqrt{p (1 - p) / n}$",
        steps(r"$\hat{p} \leftarrow k / n$, $\; u \leftarrow z^2 / n$; squared, the "
              r"condition is $(p - \hat{p})^2 \leq u \, p (1 - p)$",
              r"Its solutions lie around $(\hat{p} + u/2) / (1 + u)$",
              r"at a distance of "
              r"$\sqrt{\hat{p} (1 - \hat{p}) u + u^2/4} \, / (1 + u)$"),
        ("minillama.evaluation.safety:wilson",)),
    "context_distillation": Algorithm(
        "Safety context distillation",
        (r"$\pi$; prompts $x_1, \ldots, x_n$; preamble $C$; judge $R(x, y) \in "
         r"\mathbb{R}$",),
        r"answers to fine-tune on, each behind its $x_i$ alone",
        steps(r"$y_i \sim \pi(\cdot \mid x_i)$ and $y'_i \sim \pi(\cdot \mid C, x_i)$",
              r"$s_i \leftarrow R(x_i, y_i)$ and $s'_i \leftarrow R(x_i, y'_i)$; the "
              r"judge never sees $C$",
              r"Learn $y'_i$ where $s'_i > s_i$, else $y_i$"),
        ("minillama.alignment.distillation:distil",
         "minillama.alignment.distillation:gate")),
    "red_team": Algorithm(
        "Rounds of red teaming",
        (r"$\pi$; held-out requests; new requests for every round; styles of attack",),
        r"what was broken in every round, and the patched $\pi$",
        steps(r"Attack $\pi$ with the held-out requests in every style, and count",
              "Try again what earlier rounds have found",
              "Attack with new requests; the finds are those whose answer does harm",
              r"Fine-tune $\pi$ to decline the finds, beside ordinary work; repeat "
              "from step 1"),
        ("minillama.alignment.red_team:rounds",)),
}
