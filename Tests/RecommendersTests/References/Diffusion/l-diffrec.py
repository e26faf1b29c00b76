"""Reference values for L-DiffRec: loss and all gradients, by PyTorch in double precision.

Run: python l-diffrec.py > l-diffrec.json

Written from the published description (Wang et al., SIGIR 2023) for one cluster of items, on dense rows. Trains the
likelihood of the next item; older items weigh less; step 30 of the annealing. Weights are sines of their element
numbers, so that no file of weights is needed. "guided" are the scores of the histories after all reverse steps.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)

ITEMS, D, HIDDEN, T, OLDEST = 7, 3, 5, 4, 0.4
FIRST, LAST = 0.05, 0.5
LAMBDA, BETA = 0.7, 0.3 * 30 / 100
HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2]]
TARGETS = [3, 1, 6, 0]
STEPS = [1, 3, 4, 2]

# Name, shape, amplitude; the number of the line shifts the sine.
SHAPES = [
    ("items", (ITEMS, D + 1), 1.0),
    ("encoder.mean", (ITEMS, D), 0.6),
    ("encoder.mean.bias", (1, D), 0.3),
    ("encoder.log-variance", (ITEMS, D), 0.6),
    ("encoder.log-variance.bias", (1, D), 0.3),
    ("denoiser.input", (D, HIDDEN), 0.6),
    ("denoiser.step", (10, HIDDEN), 0.6),
    ("denoiser.bias", (1, HIDDEN), 0.3),
    ("denoiser.output", (HIDDEN, D), 0.6),
    ("denoiser.output.bias", (1, D), 0.3),
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


def denoise(z, t):
    half = 5
    f = torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
    phi = torch.cat([torch.sin((t - 1) * f), torch.cos((t - 1) * f)])
    joint = torch.cat([P["denoiser.input"], P["denoiser.step"]])
    h = torch.tanh(torch.cat([z, phi]) @ joint + P["denoiser.bias"][0])
    return h @ P["denoiser.output"] + P["denoiser.output.bias"][0]


def decode(z):
    return P["items"][:, :D] @ z + P["items"][:, D]


def encode(name, x):
    return x @ P[name] + P[name + ".bias"][0]


number = 0


def row(sequence, drop):
    global number
    x = torch.zeros(ITEMS)
    steps = torch.linspace(OLDEST, 1, len(sequence)) if len(sequence) > 1 else torch.ones(1)
    for item, w in zip(sequence, steps):
        x[item] = w
    if drop:
        # Dropout of every third item, row after row in the order of first mention.
        for item in dict.fromkeys(sequence):
            x[item] *= 0.0 if number % 3 == 1 else 2.0
            number += 1
    return x


normals = waves(50, (len(TARGETS), 2 * D))
kept = torch.tensor([0.0 if i % 4 == 2 else 1.5 for i in range(len(TARGETS) * D)]).reshape(-1, D)
loss = 0.0
for b, (history, target, t) in enumerate(zip(HISTORIES, TARGETS, STEPS)):
    x = row(history, drop=True)
    posterior = torch.distributions.Normal(encode("encoder.mean", x), torch.exp(encode("encoder.log-variance", x) / 2))
    z = posterior.mean + posterior.stddev * normals[b, :D]
    zt = torch.sqrt(abar[t - 1]) * z + torch.sqrt(1 - abar[t - 1]) * normals[b, D:]
    answer = denoise(kept[b] * zt, t)
    error = weight[t - 1] * ((z - answer) ** 2).mean()
    likelihood = torch.nn.functional.cross_entropy(decode(answer)[None], torch.tensor([target]))
    prior = torch.distributions.Normal(torch.zeros(D), torch.ones(D))
    divergence = torch.distributions.kl_divergence(posterior, prior).sum()
    loss = loss + (likelihood + LAMBDA * error + BETA * divergence) / len(TARGETS)
loss.backward()

scores = []
with torch.no_grad():
    for history in HISTORIES:
        z = encode("encoder.mean", row(history, drop=False))
        for t in range(T, 0, -1):
            before = abar[t - 2] if t > 1 else torch.tensor(1.0)
            clean = torch.sqrt(before) * beta[t - 1] / (1 - abar[t - 1])
            noisy = torch.sqrt(1 - beta[t - 1]) * (1 - before) / (1 - abar[t - 1])
            z = clean * denoise(z, t) + noisy * z
        scores.append(decode(z))


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
