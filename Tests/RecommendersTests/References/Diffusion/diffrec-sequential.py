"""Reference values for the sequential DiffRec: loss and all gradients, by PyTorch in double precision.

Run: python diffrec-sequential.py > diffrec-sequential.json

Written from the method's description of Du et al. (2023). Dropout is off. Weights are sines of their element numbers, so
that no file of weights is needed.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)

D, N, T, ITEMS, HIDDEN, HEADS, BLOCKS = 4, 5, 12, 7, 6, 2, 2
TOKEN_DEVIATION, ROUNDING, LOGIT_SCALE = 0.3, 0.7, 0.5
HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1, 6], [6, 2]]
TARGETS = [3, 1, 6, 0]
STEPS = [1, 5, 12, 8]

# Name, shape, amplitude, centre; the number of the line shifts the sine.
SHAPES = [
    ("items", (ITEMS, D), 1.0, 0.0),
    ("output", (D, D), 0.6, 0.0),
    ("output.bias", (1, D), 0.3, 0.0),
    ("output.norm.gain", (1, D), 0.3, 1.0),
    ("output.norm.bias", (1, D), 0.3, 0.0),
    ("step.hidden", (D, 4 * D), 0.6, 0.0),
    ("step.hidden.bias", (1, 4 * D), 0.3, 0.0),
    ("step.output", (4 * D, D), 0.6, 0.0),
    ("step.output.bias", (1, D), 0.3, 0.0),
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
        (b + "distance", (HEADS, 2 * N + 1), 0.5, 0.0),
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


def step_embedding(t):
    half = D // 2
    f = torch.exp(-math.log(10000) * torch.arange(half) / max(1, half - 1))
    u = (t - 1) * 1000 / T
    phi = torch.cat([torch.sin(u * f), torch.cos(u * f)])[None]
    hidden = torch.nn.functional.silu(phi @ P["step.hidden"] + P["step.hidden.bias"])
    return hidden @ P["step.output"] + P["step.output.bias"]


def predict(history, xt, t):
    x = torch.cat([P["items"][history], xt[None] + step_embedding(t)])
    n = len(x)
    distance = torch.arange(n)[:, None] - torch.arange(n)[None, :]
    for k in range(BLOCKS):
        b, width = f"block{k}.", D // HEADS
        y = norm(x, b + "attention")
        q, key, v = (y @ P[b + part] for part in ("query", "key", "value"))
        out = []
        for h in range(HEADS):
            c = slice(h * width, (h + 1) * width)
            s = q[:, c] @ key[:, c].T / math.sqrt(width) + P[b + "distance"][h][N - distance]
            out.append(torch.softmax(s, dim=1) @ v[:, c])
        x = x + torch.cat(out, dim=1) @ P[b + "mix"]
        y = torch.nn.functional.gelu(norm(x, b + "feed") @ P[b + "expand"] + P[b + "expand.bias"], approximate="tanh")
        x = x + y @ P[b + "contract"] + P[b + "contract.bias"]
    return norm(x, "output.norm")[-1] @ P["output"] + P["output.bias"][0]


def level(u):
    return 1 - math.sqrt(u + 1e-4)


abar, product = [1.0], 1.0
for t in range(1, T + 1):
    product *= 1 - min(1 - level(t / T) / level((t - 1) / T), 0.999)
    abar.append(product)

eps, tokens = waves(50, (4, D)), waves(51, (4, D))
loss = 0.0
for row, (history, target, t) in enumerate(zip(HISTORIES, TARGETS, STEPS)):
    e = P["items"][target]
    z0 = e + TOKEN_DEVIATION * tokens[row]
    f = predict(history, math.sqrt(abar[t]) * z0 + math.sqrt(1 - abar[t]) * eps[row], t)
    error = ((f - (e if t == 1 else z0)) ** 2).mean()
    logits = LOGIT_SCALE * (P["items"] @ f)
    rounding = torch.nn.functional.cross_entropy(logits[None], torch.tensor([target]))
    loss = loss + (error + ROUNDING * rounding) / len(TARGETS)
loss.backward()


def rounded(x):
    return [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]


print(
    json.dumps({"loss": rounded(loss.detach()), "gradients": {name: rounded(p.grad) for name, p in P.items()}}, indent=1)
)
