"""Reference values for FPMC without users: loss and all gradients, by PyTorch in double precision.

Run: python fpmc.py > fpmc.json

Written from the published description (Rendle et al., WWW 2010), with the project's stated deviations: no users, rows on the
unit sphere, the mean over a row's own of the shared negatives (BPR) with the inverse temperature 3. Weights are sines of their element
numbers, so that no file of weights is needed.
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
ITEMS, D, BASKET, SCALE = 7, 4, 2, 3.0

# Name, shape, amplitude; the number of the line shifts the sine.
SHAPES = [("items", (ITEMS, D), 1.0), ("items.previous", (ITEMS, D), 0.6)]


def waves(line, shape, amplitude=1.0, centre=0.0):
    count = shape[0] * shape[1]
    values = [centre + amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(count)]
    return torch.tensor(values).reshape(shape)


P = {name: waves(k, shape, amplitude).requires_grad_() for k, (name, shape, amplitude) in enumerate(SHAPES)}


def score(history, item):
    basket = P["items.previous"][history[-BASKET:]].mean(dim=0)
    return SCALE * torch.nn.functional.cosine_similarity(basket, P["items"][item], dim=0)


loss = 0.0
for row, (history, target) in enumerate(zip(HISTORIES, TARGETS)):
    kept = [item for column, item in enumerate(POOL) if column not in MASKED[row]]
    for item in kept:
        difference = score(history, target) - score(history, item)
        loss = loss - torch.nn.functional.logsigmoid(difference) / len(kept) / len(TARGETS)
loss.backward()


def rounded(x):
    return [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]


print(
    json.dumps(
        {"loss": rounded(loss.detach()), "gradients": {name: rounded(p.grad) for name, p in P.items()}},
        indent=1,
    )
)
