"""Reference values for Mult-VAE: loss and all gradients, by PyTorch in double precision.

Run: python mult-vae.py > mult-vae.json

Written from the published description (Liang et al., WWW 2018): the input is a dense row over all items here. Trains
the likelihood of the set and the next item; step 30 of 100 of the annealing. Weights are sines of their element
numbers, so that no file of weights is needed.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)

HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2]]
TARGETS = [3, 1, 6, 0]
ITEMS, D, HIDDEN, LATENT, BETA = 7, 4, 5, 3, 0.2 * 0.3

# Name, shape, amplitude; the number of the line shifts the sine.
SHAPES = [
    ("items", (ITEMS, D + 1), 1.0),
    ("encoder.items", (ITEMS, HIDDEN), 0.6),
    ("encoder.bias", (1, HIDDEN), 0.3),
    ("encoder.mean", (HIDDEN, LATENT), 0.6),
    ("encoder.mean.bias", (1, LATENT), 0.3),
    ("encoder.log-variance", (HIDDEN, LATENT), 0.6),
    ("encoder.log-variance.bias", (1, LATENT), 0.3),
    ("decoder", (LATENT, D), 0.6),
    ("decoder.bias", (1, D), 0.3),
]


def waves(line, shape, amplitude=1.0, centre=0.0):
    count = shape[0] * shape[1]
    values = [centre + amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(count)]
    return torch.tensor(values).reshape(shape)


P = {name: waves(k, shape, amplitude).requires_grad_() for k, (name, shape, amplitude) in enumerate(SHAPES)}


def layer(x, name):
    return x @ P[name] + P[name + ".bias"]


seen = torch.zeros(len(HISTORIES), ITEMS)
for row, history in enumerate(HISTORIES):
    seen[row, history] = 1
# Dropout of every third item, row after row in the order of first mention.
kept, number = torch.zeros_like(seen), 0
for row, history in enumerate(HISTORIES):
    for item in dict.fromkeys(history):
        kept[row, item] = 0.0 if number % 3 == 1 else 2.0
        number += 1
x = torch.nn.functional.normalize(seen, dim=1) * kept
hidden = torch.tanh(x @ P["encoder.items"] + P["encoder.bias"])
posterior = torch.distributions.Normal(
    layer(hidden, "encoder.mean"), torch.exp(0.5 * layer(hidden, "encoder.log-variance"))
)
z = posterior.mean + posterior.stddev * waves(50, (len(HISTORIES), LATENT))
logits = torch.tanh(layer(z, "decoder")) @ P["items"][:, :D].T + P["items"][:, D]
likely = seen.clone()
for row, target in enumerate(TARGETS):
    likely[row, target] = 1
likelihood = -(likely * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
prior = torch.distributions.Normal(torch.zeros(LATENT), torch.ones(LATENT))
divergence = torch.distributions.kl_divergence(posterior, prior).sum(dim=1).mean()
loss = likelihood + BETA * divergence
loss.backward()


def rounded(x):
    return [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]


print(
    json.dumps(
        {"loss": rounded(loss.detach()), "gradients": {name: rounded(p.grad) for name, p in P.items()}},
        indent=1,
    )
)
