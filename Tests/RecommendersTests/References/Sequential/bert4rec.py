"""Reference values for BERT4Rec: loss and all gradients, by PyTorch in double precision.

Run: python bert4rec.py > bert4rec.json

Written from the published description (Sun et al., CIKM 2019), with blocks that normalise their inputs. Dropout is off, and
each sequence is worked out alone. Weights are sines of their element numbers, so that no file of weights is needed.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)

D, N, ITEMS, HIDDEN, HEADS, BLOCKS = 4, 4, 7, 6, 2, 2
HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2]]
TARGETS = [3, 1, 6, 0]
PLACES = [[3], [0, 1], [0, 2, 4], [1]]

# Name, shape, amplitude, centre; the number of the line shifts the sine.
SHAPES = [
    ("items", (ITEMS, D), 1.0, 0.0),
    ("items.bias", (ITEMS, 1), 0.3, 0.0),
    ("mask", (1, D), 0.6, 0.0),
    ("positions", (N + 1, D), 0.6, 0.0),
    ("input.norm.gain", (1, D), 0.3, 1.0),
    ("input.norm.bias", (1, D), 0.3, 0.0),
    ("output.norm.gain", (1, D), 0.3, 1.0),
    ("output.norm.bias", (1, D), 0.3, 0.0),
    ("head", (D, D), 0.6, 0.0),
    ("head.bias", (1, D), 0.3, 0.0),
    ("head.norm.gain", (1, D), 0.3, 1.0),
    ("head.norm.bias", (1, D), 0.3, 0.0),
]
for k in range(BLOCKS):
    b = f"block{k}."
    SHAPES += [
        (b + "query", (D, D), 0.6, 0.0),
        (b + "key", (D, D), 0.6, 0.0),
        (b + "value", (D, D), 0.6, 0.0),
        (b + "mix", (D, D), 0.6, 0.0),
        (b + "expand", (D, HIDDEN), 0.6, 0.0),
        (b + "expand.bias", (1, HIDDEN), 0.3, 0.0),
        (b + "contract", (HIDDEN, D), 0.6, 0.0),
        (b + "contract.bias", (1, D), 0.3, 0.0),
        (b + "attention.gain", (1, D), 0.3, 1.0),
        (b + "attention.bias", (1, D), 0.3, 0.0),
        (b + "feed.gain", (1, D), 0.3, 1.0),
        (b + "feed.bias", (1, D), 0.3, 0.0),
    ]


def waves(line, shape, amplitude=1.0, centre=0.0):
    count = shape[0] * shape[1]
    values = [centre + amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(count)]
    return torch.tensor(values).reshape(shape)


P = {name: waves(k, shape, a, c).requires_grad_() for k, (name, shape, a, c) in enumerate(SHAPES)}


def norm(x, name):
    return torch.nn.functional.layer_norm(x, (D,), P[name + ".gain"][0], P[name + ".bias"][0], eps=1e-6)


def gelu(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


def logits(sequence, places):
    rows = torch.stack([P["mask"][0] if i in places else P["items"][item] for i, item in enumerate(sequence)])
    x = norm(rows + P["positions"][: len(sequence)].flip(0), "input.norm")
    for k in range(BLOCKS):
        b, width = f"block{k}.", D // HEADS
        y = norm(x, b + "attention")
        q, key, v = ((y @ P[b + part]).reshape(-1, HEADS, width).transpose(0, 1) for part in ("query", "key", "value"))
        seen = torch.nn.functional.scaled_dot_product_attention(q, key, v)
        x = x + seen.transpose(0, 1).reshape(-1, D) @ P[b + "mix"]
        y = gelu(norm(x, b + "feed") @ P[b + "expand"] + P[b + "expand.bias"])
        x = x + y @ P[b + "contract"] + P[b + "contract.bias"]
    h = norm(gelu(norm(x, "output.norm") @ P["head"] + P["head.bias"]), "head.norm")
    return h @ P["items"].T + P["items.bias"][:, 0]


loss = 0.0
for history, target, places in zip(HISTORIES, TARGETS, PLACES):
    sequence = history + [target]
    answers = torch.tensor([sequence[place] for place in places])
    loss = loss + torch.nn.functional.cross_entropy(logits(sequence, places)[places], answers, reduction="sum")
loss = loss / len(TARGETS)
loss.backward()


def rounded(x):
    return [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]


print(
    json.dumps(
        {"loss": rounded(loss.detach()), "gradients": {name: rounded(p.grad) for name, p in P.items()}},
        indent=1,
    )
)
