"""From a model that continues text to one that answers: the paper's section 3.

The files, in the order of the lesson: chat (the format of a dialogue), data (packing),
sft (supervised fine-tuning), rollout (sampling with log-probabilities), preferences
(two answers, one annotator), reward (a model of the annotator), rejection (keep the
best of several answers and imitate it), gae, losses and ppo (proximal policy
optimisation), dpo (preferences without a reward model, for contrast), enumerable (a
world so small that the best policy is a table), rlhf (the versions V1 to V5), judging
(by the truth, by reward models, by distance), ghost (an instruction kept through a
dialogue), studies and studies_rl (questions that need several runs), playground (one
question to several models, side by side).
"""
