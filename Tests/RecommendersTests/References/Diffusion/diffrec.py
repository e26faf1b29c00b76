"""Reference values for DiffRec and T-DiffRec: loss and all gradients, by PyTorch in double precision.

Run: python diffrec.py prefix-and-next > diffrec-prefix-and-next.json, and the same with next.

Written from the published description (Wang et al., SIGIR 2023), on dense rows and with step embeddings appended to
the input. Older items weigh less. With "prefix-and-next" the network denoises the row of the history and the next
item. With "next" it predicts the row of the next item from the row of the history, the known rest of the clean row.
Weights are sines of their element numbers, so that no file of weights is needed. "guided" are the scores of the
histories after all reverse steps, on dense rows.
"""
import json
import math
import sys

import torch

torch.set_default_dtype(torch.float64)

ITEMS, HIDDEN, T, OLDEST = 7, 5, 4, 0.4
FIRST, LAST = 0.05, 0.5
HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2]]
TARGETS = [3, 1, 6, 0]
STEPS = [1, 3, 4, 2]
NEXT = sys.argv[1] == "next"

# Name, shape, amplitude; the number of the line shifts the sine.
SHAPES = [
    ("items", (ITEMS, HIDDEN + 1), 1.0),
    ("denoiser.input", (ITEMS, HIDDEN), 0.6),
    ("denoiser.step", (10, HIDDEN), 0.6),
    ("denoiser.bias", (1, HIDDEN), 0.3),
]


def waves(line, shape, amplitude=1.0, centre=0.0):
    count = shape[0] * shape[1]
    values = [centre + amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(count)]
    return torch.tensor(values).reshape(shape)


P = {name: waves(k, shape, amplitude).requires_grad_() for k, (name, shape, amplitude) in enumerate(SHAPES)}

variance = torch.linspace(FIRST, LAST, T)
beta = torch.cat([torch.tensor([1e-5]), 1 - (1 - variance[1:]) / (1 - variance[:-1])])
abar = torch.cumprod(1 - beta, 0)
ratio = abar / (1 - abar)
differences = ratio[:-1] - ratio[1:]
weight = torch.cat([torch.ones(1), differences / differences.mean()])


def row(sequence):
    x = torch.zeros(ITEMS)
    steps = torch.linspace(OLDEST, 1, len(sequence)) if len(sequence) > 1 else torch.ones(1)
    for item, w in zip(sequence, steps):
        x[item] = w
    return x


def predict(x, t):
    half = 5
    f = torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
    phi = torch.cat([torch.sin((t - 1) * f), torch.cos((t - 1) * f)])
    joint = torch.cat([P["denoiser.input"], P["denoiser.step"]])
    h = torch.tanh(torch.cat([x, phi]) @ joint + P["denoiser.bias"][0])
    return P["items"][:, :HIDDEN] @ h + P["items"][:, HIDDEN]


eps = waves(50, (len(TARGETS), ITEMS))
kept = torch.tensor([0.0 if i % 3 == 1 else 2.0 for i in range(len(TARGETS) * ITEMS)]).reshape(-1, ITEMS)
loss = 0.0
for b, (history, target, t) in enumerate(zip(HISTORIES, TARGETS, STEPS)):
    x0 = row(history if NEXT else history + [target])
    aim = row([target]) if NEXT else x0
    xt = torch.sqrt(abar[t - 1]) * x0 + torch.sqrt(1 - abar[t - 1]) * eps[b]
    loss = loss + weight[t - 1] * ((aim - predict(kept[b] * xt, t)) ** 2).sum() / len(TARGETS)
loss.backward()

scores = []
with torch.no_grad():
    for history in HISTORIES:
        x = row(history)
        for t in range(T, 0, -1):
            before = abar[t - 2] if t > 1 else torch.tensor(1.0)
            clean = torch.sqrt(before) * beta[t - 1] / (1 - abar[t - 1])
            noisy = torch.sqrt(1 - beta[t - 1]) * (1 - before) / (1 - abar[t - 1])
            answer = predict(x, t)
            x = clean * (answer + row(history) if NEXT else answer) + noisy * x
        scores.append(answer)


def rounded(x):
    return [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]


print(
    json.dumps(
        {
            "loss": rounded(loss.detach()),
            "guided": rounded(torch.stack(scores)),
            "gradients": {name: rounded(p.grad) for name, p in P.items()},
        },
        indent=1,
    )
)
