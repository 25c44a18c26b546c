"""From a model that continues text to one that answers: the paper's section 3.

The files, in the order of the lesson: chat (the format of a dialogue), data (packing),
sft (supervised fine-tuning), rollout (sampling with log-probabilities), preferences
(two answers, one annotator), reward (a model of the annotator); then rejection, gae,
losses, ppo and dpo, which change a policy, and enumerable, a world so small that the
best policy can be computed.
"""
