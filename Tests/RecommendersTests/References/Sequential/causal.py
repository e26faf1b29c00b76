"""Reference values for SASRec, GRU4Rec, NARM and the mean of items, by PyTorch in double precision.

They are user vectors, loss and all gradients.

Run: for system in sasrec gru4rec narm dnn; do python causal.py $system > $system.json; done

Written from the published descriptions (Kang and McAuley, ICDM 2018; Hidasi et al., ICLR 2016; Li et al., CIKM 2017),
with the project's stated deviations: item rows, which the networks scale by sqrt(d), and users on the unit sphere; the
softmax over one pool of negatives; for SASRec pre-norm blocks with a trained bias for each distance. The recurrence is
torch.nn.GRU.
Weights are sines of their element numbers, so that no file of weights is needed.
"""
import json
import math
import sys

import torch
from torch.nn.functional import gelu, layer_norm

torch.set_default_dtype(torch.float64)

D, N, ITEMS, SCALE, HEADS, BLOCKS = 4, 4, 7, 3.0, 2, 2
SYSTEM = sys.argv[1]
HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2]]
TARGETS = [3, 1, 6, 0]
POOL = [2, 5, 5, 0, 4, 1]
MASKED_COLUMNS = [[], [5], [1, 2, 0], [3]]

# Name and shape; the number of the line shifts the sine, the kind of name sets its amplitude and centre.
SHAPES = {
    "gru4rec": [("items", (ITEMS, D))], "narm": [("items", (ITEMS, D))], "sasrec": [("items", (ITEMS, D))],
    "dnn": [("items", (ITEMS, D)), ("output", (D, D)), ("output.bias", (1, D))],
}
STATES = 3
for name, shape in [("input", (D, 3 * STATES)), ("input.bias", (1, 3 * STATES)), ("recurrent", (STATES, 3 * STATES)),
                    ("recurrent.bias", (1, 3 * STATES)), ("output", (STATES, D))]:
    SHAPES["gru4rec"].append(("gru." + name, shape))
SHAPES["narm"] += SHAPES["gru4rec"][1:-1] + [
    ("attention.newest", (STATES, STATES)), ("attention.earlier", (STATES, STATES)), ("attention.weights", (STATES, 1)),
    ("output", (2 * STATES, D)),
]
HIDDEN = 5
for block in range(BLOCKS):
    for name, shape in [("query", (D, D)), ("key", (D, D)), ("value", (D, D)), ("mix", (D, D)),
                        ("expand", (D, HIDDEN)), ("expand.bias", (1, HIDDEN)), ("contract", (HIDDEN, D)),
                        ("contract.bias", (1, D)), ("distance", (HEADS, N)), ("attention.gain", (1, D)),
                        ("attention.bias", (1, D)), ("feed.gain", (1, D)), ("feed.bias", (1, D))]:
        SHAPES["sasrec"].append((f"transformer.block{block}.{name}", shape))
SHAPES["sasrec"] += [("transformer.norm.gain", (1, D)), ("transformer.norm.bias", (1, D))]


def waves(line, name, shape):
    amplitude, centre = 0.6, 0.0
    if name == "items":
        amplitude = 1.0
    elif name.endswith("distance"):
        amplitude = 0.5
    elif name.endswith("gain"):
        amplitude, centre = 0.3, 1.0
    elif name.endswith("bias"):
        amplitude = 0.3
    values = [centre + amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(shape[0] * shape[1])]
    return torch.tensor(values).reshape(shape)


P = {name: waves(line, name, shape).requires_grad_() for line, (name, shape) in enumerate(SHAPES[SYSTEM])}


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def norm(x, name):
    return layer_norm(x, (D,), P[name + ".gain"][0], P[name + ".bias"][0], eps=1e-6)


def transformer(items):
    n, width = len(items), D // HEADS
    place = torch.arange(n)
    distance = place[:, None] - place[None, :]
    x = math.sqrt(D) * items
    for block in range(BLOCKS):
        def weights(name):
            return P[f"transformer.block{block}.{name}"]

        y = norm(x, f"transformer.block{block}.attention")
        q, k, v = ((y @ weights(name)).reshape(n, HEADS, width).transpose(0, 1) for name in ["query", "key", "value"])
        # Column N - 1 - j of the biases is that of distance j.
        bias = weights("distance")[:, (N - 1 - distance).clamp(max=N - 1)]
        logits = (q @ k.transpose(1, 2) / math.sqrt(width) + bias).masked_fill(distance < 0, -math.inf)
        x = x + (torch.softmax(logits, dim=-1) @ v).transpose(0, 1).reshape(n, D) @ weights("mix")
        y = norm(x, f"transformer.block{block}.feed")
        y = gelu(y @ weights("expand") + weights("expand.bias"), approximate="tanh")
        x = x + y @ weights("contract") + weights("contract.bias")
    return norm(x, "transformer.norm")[-1]


def recurrent_states(items):
    """PyTorch's cell has the same gates in the same order, its weights transposed."""
    gru = torch.nn.GRU(D, STATES)
    weights = {
        "weight_ih_l0": P["gru.input"].T, "bias_ih_l0": P["gru.input.bias"][0],
        "weight_hh_l0": P["gru.recurrent"].T, "bias_hh_l0": P["gru.recurrent.bias"][0],
    }
    states, _ = torch.func.functional_call(gru, weights, (math.sqrt(D) * items,))
    return states


def recurrence(items):
    return recurrent_states(items)[-1] @ P["gru.output"]


def attentive_recurrence(items):
    states = recurrent_states(items)
    sums = states[-1] @ P["attention.newest"] + states @ P["attention.earlier"]
    weights = torch.sigmoid(sums) @ P["attention.weights"]
    return torch.cat([states[-1], (weights * states).sum(dim=0)]) @ P["output"]


def mean(items):
    """ComiRec's DNN: a linear layer over the mean of unit item rows."""
    return items.mean(dim=0) @ P["output"] + P["output.bias"][0]


items = unit(P["items"])
network = {"sasrec": transformer, "gru4rec": recurrence, "narm": attentive_recurrence, "dnn": mean}[SYSTEM]
users = unit(torch.stack([network(items[h]) for h in HISTORIES]))
total = 0
for user, target, masked in zip(users, TARGETS, MASKED_COLUMNS):
    negatives = [item for column, item in enumerate(POOL) if column not in masked]
    total = total - torch.log_softmax(SCALE * (items[[target] + negatives] @ user), dim=0)[0] / len(TARGETS)
total.backward()

round9 = lambda t: [round(x, 9) for x in t.detach().reshape(-1).tolist()]
json.dump(
    {"loss": round9(total), "users": round9(users), "gradients": {name: round9(p.grad) for name, p in P.items()}},
    sys.stdout,
)
print()
