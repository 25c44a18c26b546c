r"""The formal algorithms of the alignment half, as data.

Notation, beyond that of ``formal``: $n$ texts of $\ell$ tokens, one a row, with marks
$m \in \{0, 1\}^{n \times \ell}$ that are one on answer tokens, $|m|$ of them in all;
$x$ a prompt and $y$ an answer; $\pi_\theta$ the policy, $\pi_0$ the policy before
training, frozen; $R$ the score of an answer and $r$ the reward of a token; $\sigma$ the
sigmoid. A log-probability at position $t$ is that of token $t$ given those before it,
in nats. Quantities that hold one number for each position are
$\in \mathbb{R}^{n \times \ell}$.
"""

from .notation import Algorithm, steps

_ROOM = "minillama.alignment."

_DATA = {
    "encode_dialogue": Algorithm(
        "Encode a dialogue",
        (r"System text or none; questions $q_1, \ldots, q_k$; answers "
         r"$a_1, a_2, \ldots$, the last perhaps still to come",),
        r"ids $t \in \{1, \ldots, N\}^{\ell}$, marks $m \in \{0, 1\}^{\ell}$",
        steps(r"Pair questions and answers; put the system text, between its tags, in "
              r"front of $q_1$",
              r"For $i = 1, \ldots, k$: append the ids of <s>[INST] $q_i$ [/INST], "
              r"marked $0$",
              r"If $a_i$ is there, append the ids of $a_i$ and </s>, marked $1$"),
        (_ROOM + "chat:encode_dialogue",)),
    "pack": Algorithm(
        "Pack dialogues into rows",
        (r"Dialogues with marks, each of at most $\ell + 1$ tokens; length $\ell$",),
        r"inputs $X$, targets $Y$, both $n \times \ell$",
        steps(r"Open a row with room for $\ell + 1$ tokens",
              "Append each dialogue to the last row; where it does not fit, open a "
              "new one",
              r"Fill every row up to $\ell + 1$ on the right: tokens $t$, marks $m$",
              r"$X_{ij} \leftarrow t_{ij}$; $\; Y_{ij} \leftarrow t_{i,j+1}$ where "
              r"$m_{i,j+1} = 1$, no target elsewhere"),
        (_ROOM + "data:pack",)),
    "finetune": Algorithm(
        "Supervised fine-tuning",
        (r"$\pi_\theta$; inputs and targets, $n \times \ell$; $E$ epochs of batches of "
         r"$B$ rows; rate $\eta$",), r"$\theta$, moved in place",
        steps(r"$S \leftarrow E \lceil n / B \rceil$ steps; AdamW",
              r"In each epoch: all rows in a new order, $B$ at a time",
              r"One step of training at rate $\eta(s)$ down the mean of "
              r"$-\log \pi_\theta(Y_{ij} \mid X_{i, \leq j})$ over the places $ij$ "
              r"that have a target"),
        (_ROOM + "sft:finetune",)),
}

_REWARD = {
    "score": Algorithm(
        "Reward model",
        (r"$t \in \{1, \ldots, N\}^{n \times \ell}$, padded on the right; lengths "
         r"$\ell_1, \ldots, \ell_n$",
         r"backbone $f$; $w \in \mathbb{R}^{d}$ in place of the output matrix"),
        r"$R \in \mathbb{R}^{n}$",
        steps(r"$X \leftarrow f(t) \in \mathbb{R}^{n \times \ell \times d}$, "
              r"normalised; $\; S \leftarrow X w \in \mathbb{R}^{n \times \ell}$",
              r"Return $R_i = S_{i \ell_i}$, the score at the last token"),
        (_ROOM + "reward:RewardModel.forward",)),
    "ranking_loss": Algorithm(
        "Ranking loss",
        (r"scores $R^c, R^r \in \mathbb{R}^{n}$ of chosen and rejected; margins "
         r"$\mu \in \mathbb{R}^{n}$ or none",),
        r"$\mathcal{L} \in \mathbb{R}$",
        steps(r"$g \leftarrow R^c - R^r$",
              r"With margins: $g \leftarrow g - \mu$",
              r"Return $-\frac{1}{n} \sum_i \log \sigma(g_i)$"),
        (_ROOM + "reward:ranking_loss",)),
    "train_reward_model": Algorithm(
        "Train a reward model",
        (r"Chat model $\theta$; comparisons $(x_i, y^c_i, y^r_i)$ with degrees; a "
         r"margin for each degree, or none",), r"reward model $R_\phi$",
        steps(r"$\phi \leftarrow \theta$ with $w = 0$ in place of the output matrix",
              r"For each batch of $B$ comparisons: "
              r"$R^c_i \leftarrow R_\phi(x_i, y^c_i)$ and "
              r"$R^r_i \leftarrow R_\phi(x_i, y^r_i)$, each answer read once",
              r"$\mathcal{L} \leftarrow$ ranking loss of $R^c, R^r$ and the margins",
              r"One step of AdamW down $\nabla_\phi \mathcal{L}$, clipped to norm 1"),
        (_ROOM + "reward:train_reward_model", _ROOM + "reward:_step")),
    "collect": Algorithm(
        "Collect comparisons",
        (r"Tasks $x_1, \ldots, x_n$; sources: policies $\pi_k$, each with a "
         r"temperature $\tau_k$",
         r"annotator: prefers $y$ to $y'$ with chance "
         r"$\sigma((u(y) - u(y')) / \text{noise})$"),
        r"at most $n$ tuples $(x_i, y^c_i, y^r_i, \text{degree})$",
        steps(r"For each task draw two sources, different ones where there are several",
              r"$y_i \sim \pi_k(\cdot \mid x_i)$ and "
              r"$y'_i \sim \pi_{k'}(\cdot \mid x_i)$, each at its temperature",
              r"Where $y_i \neq y'_i$: the annotator prefers one, to a degree"),
        (_ROOM + "preferences:collect",)),
}

_REJECTION = {
    "rejection_round": Algorithm(
        "One round of rejection sampling",
        (r"$\pi_\theta$; prompts $x_1, \ldots, x_n$; $K$ answers to each; "
         r"temperature $\tau$; score $R$",),
        r"best answers $y^*_1, \ldots, y^*_n$; scores $\in \mathbb{R}^{n \times K}$",
        steps(r"Write every prompt $K$ times",
              r"$y_{ik} \sim \pi_\theta(\cdot \mid x_i)$ at temperature $\tau$",
              r"$R_{ik} \leftarrow R(x_i, y_{ik})$, lowered where the answer was cut "
              r"off",
              r"$y^*_i \leftarrow y_{ik}$ with the first $k$ that maximises $R_{ik}$"),
        (_ROOM + "rejection:draw_answers", _ROOM + "rejection:choose")),
    "best_of_n": Algorithm(
        "Distribution of the best of n",
        (r"$p \in [0, 1]^{M}$, $\sum_y p_y = 1$, over $M$ answers; "
         r"$R \in \mathbb{R}^{M}$; $n \geq 1$",),
        r"$p^* \in [0, 1]^{M}$",
        steps(r"$q_v \leftarrow \sum_{y:\, R_y = v} p_y$ for every value $v$ of $R$",
              r"$F_v \leftarrow \sum_{u < v} q_u$; "
              r"$\; c_v \leftarrow (F_v + q_v)^n - F_v^n$",
              r"Return $p^*_y = p_y \, c_v / q_v$ with $v = R_y$"),
        (_ROOM + "rejection:best_of_n",)),
}

_REWARDS_OF_PPO = {
    "gae": Algorithm(
        "Generalised advantage estimation",
        (r"rewards $r$, values $V$, marks $m$, all $n \times \ell$; "
         r"$\gamma, \lambda \in [0, 1]$",),
        r"advantages $A$, returns $\hat{V}$, both $\in \mathbb{R}^{n \times \ell}$",
        steps(r"$a, v \leftarrow 0 \in \mathbb{R}^{n}$; for $t = \ell, \ldots, 1$ and "
              r"every row $i$:",
              r"$\quad \delta \leftarrow r_{it} + \gamma v_i - V_{it}$",
              r"$\quad \delta \leftarrow \delta + \gamma \lambda \, a_i$",
              r"$\quad$ Where $m_{it} = 1$: $a_i \leftarrow \delta$, "
              r"$v_i \leftarrow V_{it}$; then $A_{it} \leftarrow a_i$",
              r"Return $A$ and $\hat{V} = A + V$, zero where $m = 0$"),
        (_ROOM + "gae:gae",)),
    "combine": Algorithm(
        "Combine safety and helpfulness",
        (r"safety $R^s$ and helpfulness $R^h$, both $\in (0, 1)^{n}$; whether each "
         r"prompt is a safety prompt; threshold $\kappa$",),
        r"$R \in (0, 1)^{n}$",
        steps(r"Answer $i$ is unsafe if its prompt is a safety prompt or "
              r"$R^s_i < \kappa$",
              r"Return $R_i = R^s_i$ where $i$ is unsafe, $R^h_i$ elsewhere"),
        (_ROOM + "losses:combine",)),
    "shaped_rewards": Algorithm(
        "Reward of every token",
        (r"scores $R \in \mathbb{R}^{n}$; $\log \pi_\theta$, $\log \pi_0$ and marks "
         r"$m$, all $n \times \ell$; $\beta \geq 0$",),
        r"$r \in \mathbb{R}^{n \times \ell}$",
        steps(r"$r_{it} \leftarrow -\beta \, m_{it} (\log \pi_\theta - "
              r"\log \pi_0)_{it}$",
              r"$r_{iT} \leftarrow r_{iT} + R_i$ at the last $T$ with $m_{iT} = 1$"),
        (_ROOM + "losses:shaped_rewards",)),
    "policy_loss": Algorithm(
        "Clipped objective",
        (r"$\log \pi_\theta$, $\log \pi_{\text{old}}$, advantages $A$, marks $m$, all "
         r"$n \times \ell$; $\epsilon > 0$",),
        r"$\mathcal{L} \in \mathbb{R}$; ratios $\rho \in \mathbb{R}^{n \times \ell}$; "
        r"share clipped",
        steps(r"$\rho \leftarrow \exp(\log \pi_\theta - \log \pi_{\text{old}})$, one "
              r"where $m = 0$",
              r"$\bar{\rho} \leftarrow \min(\max(\rho, 1 - \epsilon), 1 + \epsilon)$",
              r"Return $-\frac{1}{|m|} \sum_{it} m_{it} \min(\rho_{it} A_{it}, "
              r"\bar{\rho}_{it} A_{it})$, $\rho$, and the share of marked tokens "
              r"with $|\rho_{it} - 1| > \epsilon$"),
        (_ROOM + "losses:policy_loss",)),
}

_PPO = {
    "ppo_step": Algorithm(
        "One iteration of PPO",
        (r"$n$ answers with marks $m$ and $\log \pi_{\text{old}}$, as they were drawn; "
         r"scores $R \in \mathbb{R}^{n}$",
         r"$\pi_\theta$, $\pi_0$, values $V_\phi$; $\beta, \gamma, \lambda, E$"),
        r"$\theta, \phi$, moved in place; what to watch",
        steps(r"$\log \pi_0$ and $V \leftarrow V_\phi$ at every token, "
              r"$n \times \ell$",
              r"Lower $R$ where an answer was cut off; $r \leftarrow$ reward of every "
              r"token",
              r"$A, \hat{V} \leftarrow \mathrm{GAE}(r, V, m)$; whiten $A$ over $m$",
              r"$E$ times: update on all rows in minibatches, in a new order",
              r"$\widehat{\mathrm{KL}} \leftarrow \frac{1}{n} \sum_{it} m_{it} "
              r"(\log \pi_{\text{old}} - \log \pi_0)_{it}$, to watch"),
        (_ROOM + "ppo:ppo_step",)),
    "update": Algorithm(
        "One update of PPO",
        (r"minibatch: tokens, marks $m$, $\log \pi_{\text{old}}$, $A$, $\hat{V}$, "
         r"all $n \times \ell$", r"$\pi_\theta$, $V_\phi$, an optimiser for each"),
        r"$\theta, \phi$, moved in place; what to watch",
        steps(r"Step of $\phi$ down "
              r"$\frac{1}{2 |m|} \sum_{it} m_{it} (V_\phi - \hat{V})_{it}^2$",
              r"Step of $\theta$ down the clipped objective, its sign turned",
              r"$\frac{1}{|m|} \sum_{it} m_{it} (\rho - 1 - \log \rho)_{it} \geq 0$, "
              r"to watch"),
        (_ROOM + "ppo:update",)),
    "train_ppo": Algorithm(
        "PPO",
        (r"$\pi_\theta$, $V_\phi$; prompts; score $R$; $n$ answers an iteration; "
         r"temperature $\tau$; warm-up $w$",
         r"$\pi_0 \leftarrow \pi_\theta$ before the first iteration"),
        r"$\theta, \phi$, moved in place; a row of diagnostics an iteration",
        steps(r"For $k = 0, 1, \ldots$: take the next $n$ prompts, all of them once "
              r"before any comes twice",
              r"$y_i \sim \pi_\theta(\cdot \mid x_i)$ at temperature $\tau$; keep "
              r"$\log \pi_{\text{old}}$",
              r"$R_i \leftarrow R(x_i, y_i)$",
              r"One iteration of PPO; $\theta$ stays while $k < w$"),
        (_ROOM + "ppo:train_ppo",)),
}

_DPO = {
    "dpo_loss": Algorithm(
        "Loss of DPO",
        (r"$\log \pi_\theta$ and $\log \pi_0$ of whole answers, chosen $y^c$ and "
         r"rejected $y^r$, each $\in \mathbb{R}^{n}$; $\beta > 0$",),
        r"$\mathcal{L} \in \mathbb{R}$, margins $g \in \mathbb{R}^{n}$",
        steps(r"$\hat{R}(y) \leftarrow \beta (\log \pi_\theta(y) - \log \pi_0(y))$ for "
              r"$y^c$ and $y^r$",
              r"$g \leftarrow \hat{R}(y^c) - \hat{R}(y^r)$; return "
              r"$-\frac{1}{n} \sum_i \log \sigma(g_i)$ and $g$"),
        (_ROOM + "dpo:dpo_loss",)),
    "train_dpo": Algorithm(
        "Direct preference optimisation",
        (r"$\pi_\theta$; $\pi_0$, frozen; comparisons $(x, y^c, y^r)$; $\beta > 0$; "
         r"rate $\eta$",), r"$\theta$, moved in place",
        steps(r"In each step: draw $B$ comparisons",
              r"$\log \pi(y \mid x) \leftarrow \sum_t \log \pi(y_t \mid x, y_{<t})$ "
              r"for $y^c$, $y^r$ under $\pi_\theta$ and $\pi_0$, $4B$ numbers",
              r"$\mathcal{L} \leftarrow$ loss of DPO; gradient clipped to norm 1",
              r"One step of AdamW at a rate that falls in a straight line from "
              r"$\eta$"),
        (_ROOM + "dpo:train_dpo",)),
}

_GHOST = {
    "ghost": Algorithm(
        "Ghost Attention",
        (r"Instruction $c$; questions $q_1, \ldots, q_k$; policy $\pi_\theta$; "
         r"temperature $\tau$",),
        r"ids $t \in \{1, \ldots, N\}^{\ell}$, marks $m \in \{0, 1\}^{\ell}$",
        steps(r"$q'_i \leftarrow c \, q_i$ for $i = 1, \ldots, k$: the instruction "
              r"joins every question",
              r"For $i = 1, \ldots, k$: several draws $a_i \sim \pi_\theta(\cdot "
              r"\mid q'_1, a_1, \ldots, a_{i-1}, q'_i)$ at temperature $\tau$",
              r"Keep the first $a_i$ that complies with $c$; give the dialogue up "
              r"where none does",
              r"Drop $c$ from all questions and say it once, before the first: "
              r"$c, q_1, a_1, \ldots, q_k, a_k$",
              r"$m_j \leftarrow 1$ on the tokens of $a_k$, $0$ on all before"),
        (_ROOM + "ghost:joined", _ROOM + "ghost:sampled", _ROOM + "ghost:dropped",
         _ROOM + "ghost:encode_last")),
}

ALIGNMENT = {**_DATA, **_REWARD, **_REJECTION, **_REWARDS_OF_PPO, **_PPO, **_DPO,
             **_GHOST}
