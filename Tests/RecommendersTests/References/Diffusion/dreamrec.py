"""Reference values for DreamRec: loss, all gradients and one guided prediction, by PyTorch in double precision.

Run: python dreamrec.py > dreamrec.json

Written from the published description (Yang et al., NeurIPS 2023), with the project's stated deviations: a pre-norm causal
encoder with distance biases. Weights are sines of their element numbers, so that no file of weights is needed.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)

D, N, T, ITEMS, HIDDEN, W = 4, 5, 12, 7, 6, 1.5
HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1, 6], [6, 2]]
TARGETS = [3, 1, 6, 0]
STEPS = [1, 5, 12, 8]
UNCONDITIONAL = [False, True, False, False]

# Name, shape, amplitude, centre; the number of the line shifts the sine.
SHAPES = [
    ("items", (ITEMS, D), 1.0, 0.0),
    ("condition.null", (1, D), 1.0, 0.0),
    ("encoder.norm.gain", (1, D), 0.3, 1.0),
    ("encoder.norm.bias", (1, D), 0.3, 0.0),
    ("encoder.block0.query", (D, D), 0.6, 0.0),
    ("encoder.block0.key", (D, D), 0.6, 0.0),
    ("encoder.block0.value", (D, D), 0.6, 0.0),
    ("encoder.block0.mix", (D, D), 0.6, 0.0),
    ("encoder.block0.expand", (D, HIDDEN), 0.6, 0.0),
    ("encoder.block0.expand.bias", (1, HIDDEN), 0.3, 0.0),
    ("encoder.block0.contract", (HIDDEN, D), 0.6, 0.0),
    ("encoder.block0.contract.bias", (1, D), 0.3, 0.0),
    ("encoder.block0.distance", (2, N), 0.5, 0.0),
    ("encoder.block0.attention.gain", (1, D), 0.3, 1.0),
    ("encoder.block0.attention.bias", (1, D), 0.3, 0.0),
    ("encoder.block0.feed.gain", (1, D), 0.3, 1.0),
    ("encoder.block0.feed.bias", (1, D), 0.3, 0.0),
    ("denoiser.step.hidden", (D, 2 * D), 0.6, 0.0),
    ("denoiser.step.hidden.bias", (1, 2 * D), 0.3, 0.0),
    ("denoiser.step.output", (2 * D, D), 0.6, 0.0),
    ("denoiser.step.output.bias", (1, D), 0.3, 0.0),
    ("denoiser.noised", (D, 2 * D), 0.6, 0.0),
    ("denoiser.condition", (D, 2 * D), 0.6, 0.0),
    ("denoiser.step", (D, 2 * D), 0.6, 0.0),
    ("denoiser.bias", (1, 2 * D), 0.3, 0.0),
    ("denoiser.output", (2 * D, D), 0.6, 0.0),
    ("denoiser.output.bias", (1, D), 0.3, 0.0),
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


def encode(history):
    x = P["items"][history]
    n, b, heads = len(history), "encoder.block0.", 2
    y = norm(x, b + "attention")
    q, k, v = (y @ P[b + part] for part in ("query", "key", "value"))
    width = D // heads
    out = []
    for h in range(heads):
        c = slice(h * width, (h + 1) * width)
        s = q[:, c] @ k[:, c].T / math.sqrt(width)
        distance = torch.arange(n)[:, None] - torch.arange(n)[None, :]
        s = s + P[b + "distance"][h][(N - 1 - distance).clamp(0, N - 1)]
        s = s.masked_fill(distance < 0, -math.inf)
        out.append(torch.softmax(s, dim=1) @ v[:, c])
    x = x + torch.cat(out, dim=1) @ P[b + "mix"]
    y = norm(x, b + "feed")
    x = x + gelu(y @ P[b + "expand"] + P[b + "expand.bias"]) @ P[b + "contract"] + P[b + "contract.bias"]
    return norm(x, "encoder.norm")[-1]


def step_embedding(t):
    half = D // 2
    f = torch.exp(-math.log(10000) * torch.arange(half) / max(1, half - 1))
    phi = torch.cat([torch.sin((t - 1) * f), torch.cos((t - 1) * f)])[None]
    b = "denoiser.step."
    return gelu(phi @ P[b + "hidden"] + P[b + "hidden.bias"]) @ P[b + "output"] + P[b + "output.bias"]


def denoise(x, h, t):
    first = x @ P["denoiser.noised"] + h @ P["denoiser.condition"] + step_embedding(t) @ P["denoiser.step"]
    return gelu(first + P["denoiser.bias"]) @ P["denoiser.output"] + P["denoiser.output.bias"]


abar, product = [1.0], 1.0
for i in range(T):
    position = 1 + 2 * T * i / (T - 1)
    product *= math.exp(-0.1 / T - 0.5 * 9.9 * position / T**2)
    abar.append(product)

eps = waves(50, (4, D))
loss = 0.0
for row, (history, target, t) in enumerate(zip(HISTORIES, TARGETS, STEPS)):
    x0 = P["items"][target]
    xt = math.sqrt(abar[t]) * x0 + math.sqrt(1 - abar[t]) * eps[row]
    h = P["condition.null"][0] if UNCONDITIONAL[row] else encode(history)
    loss = loss + ((denoise(xt[None], h[None], t)[0] - x0) ** 2).mean() / len(TARGETS)
loss.backward()

noisy = waves(51, (4, D))
with torch.no_grad():
    null = P["condition.null"]
    guided = [
        (1 + W) * denoise(noisy[r : r + 1], encode(h)[None], 7) - W * denoise(noisy[r : r + 1], null, 7)
        for r, h in enumerate(HISTORIES)
    ]


def rounded(x):
    return [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]


print(
    json.dumps(
        {
            "loss": rounded(loss.detach()),
            "guided": rounded(torch.cat(guided)),
            "gradients": {name: rounded(p.grad) for name, p in P.items()},
        },
        indent=1,
    )
)
