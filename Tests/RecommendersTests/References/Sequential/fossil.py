"""Reference values for Fossil without users: loss and all gradients, by PyTorch in double precision.

Run: python fossil.py > fossil.json

Written from the published description (He and McAuley, ICDM 2016), with the project's stated deviations: no users, softmax
over shared negatives. Weights are sines of their element numbers, so that no file of weights is needed.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)

HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2]]
TARGETS = [3, 1, 6, 0]
# The shared negatives, and the columns of them that take no part in a row.
POOL = [2, 5, 5, 0, 4, 1]
MASKED = [[], [5], [1, 2, 0], [3]]
ITEMS, D, ORDER, EXPONENT = 7, 4, 3, 0.2

# Name, shape, amplitude; the number of the line shifts the sine.
SHAPES = [("items", (ITEMS, D + 1), 1.0), ("items.previous", (ITEMS, D), 0.6), ("order", (ORDER, 1), 0.6)]


def waves(line, shape, amplitude=1.0, centre=0.0):
    count = shape[0] * shape[1]
    values = [centre + amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(count)]
    return torch.tensor(values).reshape(shape)


P = {name: waves(k, shape, amplitude).requires_grad_() for k, (name, shape, amplitude) in enumerate(SHAPES)}


def score(history, item):
    p = P["items.previous"]
    user = sum(p[j] for j in history) * len(history) ** -EXPONENT
    for k in range(min(ORDER, len(history))):
        user = user + P["order"][k, 0] * p[history[-1 - k]]
    return P["items"][item, D] + user @ P["items"][item, :D]


loss = 0.0
for row, (history, target) in enumerate(zip(HISTORIES, TARGETS)):
    logits = [score(history, target)]
    logits += [score(history, item) for column, item in enumerate(POOL) if column not in MASKED[row]]
    loss = loss - torch.log_softmax(torch.stack(logits), dim=0)[0] / len(TARGETS)
loss.backward()


def rounded(x):
    return [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]


print(
    json.dumps(
        {"loss": rounded(loss.detach()), "gradients": {name: rounded(p.grad) for name, p in P.items()}},
        indent=1,
    )
)
