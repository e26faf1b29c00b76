"""Reference values for Caser without users: loss and all gradients, by PyTorch in double precision.

Run: python caser.py > caser.json

Written from the published description (Tang and Wang, WSDM 2018) with PyTorch's own convolutions, and with the project's
stated deviations: no users, no biases of vertical filters, softmax over shared negatives. Dropout is off. Weights are sines of
their element numbers, so that no file of weights is needed.
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
ITEMS, D, L, HORIZONTAL, VERTICAL = 7, 4, 3, 3, 2

# Name, shape, amplitude; the number of the line shifts the sine.
SHAPES = [
    ("items", (ITEMS, D + 1), 1.0),
    ("items.previous", (ITEMS, D), 0.6),
    ("vertical", (VERTICAL, L), 0.6),
    ("output", (VERTICAL * D + L * HORIZONTAL, D), 0.6),
    ("output.bias", (1, D), 0.3),
]
for height in range(1, L + 1):
    SHAPES += [(f"horizontal{height}", (height * D, HORIZONTAL), 0.6), (f"horizontal{height}.bias", (1, HORIZONTAL), 0.3)]


def waves(line, shape, amplitude=1.0, centre=0.0):
    count = shape[0] * shape[1]
    values = [centre + amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(count)]
    return torch.tensor(values).reshape(shape)


P = {name: waves(k, shape, amplitude).requires_grad_() for k, (name, shape, amplitude) in enumerate(SHAPES)}


def user(history):
    newest = history[-L:]
    image = torch.cat([torch.zeros(L - len(newest), D), P["items.previous"][newest]])[None, None]
    answers = [torch.nn.functional.conv2d(image, P["vertical"].reshape(VERTICAL, 1, L, 1)).reshape(-1)]
    for height in range(1, L + 1):
        weight = P[f"horizontal{height}"].T.reshape(HORIZONTAL, 1, height, D)
        maps = torch.nn.functional.conv2d(image, weight, P[f"horizontal{height}.bias"][0])
        answers.append(torch.relu(maps)[0, :, :, 0].max(dim=1).values)
    return torch.relu(torch.cat(answers) @ P["output"] + P["output.bias"][0])


def score(history, item):
    return P["items"][item, D] + user(history) @ P["items"][item, :D]


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
