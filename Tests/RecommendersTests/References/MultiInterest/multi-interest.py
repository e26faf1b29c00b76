"""Reference values for ComiRec-SA, ComiRec-DR and MIND: loss and all gradients, by PyTorch in double precision.

Run: for system in comirec-sa comirec-dr mind; do python multi-interest.py $system > $system.json; done

Written from the published descriptions (Cen et al., KDD 2020; Li et al., CIKM 2019), with the project's stated deviations:
item rows and interests on the unit sphere, positions counted from the newest item, no bias of the attention's second layer,
MIND's logits starting at numbers of interest and position alone. Weights are sines of their element numbers, so that no file
of weights is needed.
"""
import json
import math
import sys

import torch

torch.set_default_dtype(torch.float64)

D, N, K, ITEMS, HIDDEN, SCALE = 4, 5, 3, 7, 6, 3.0
HISTORIES = [[0, 1, 2], [3], [4, 4, 5, 1, 6], [6, 2]]
TARGETS = [3, 1, 6, 0]

# Name, shape, amplitude; the number of the line shifts the sine.
SHAPES = {
    "comirec-sa": [
        ("items", (ITEMS, D), 1.0),
        ("attention.projection", (D, HIDDEN), 0.6),
        ("attention.projection.bias", (1, HIDDEN), 0.3),
        ("attention.position", (N, D), 0.6),
        ("attention.heads", (K, HIDDEN), 0.6),
    ],
    "comirec-dr": [("items", (ITEMS, D), 1.0), ("routing.votes", (N * D, K * D), 0.6)],
    "mind": [("items", (ITEMS, D), 1.0), ("routing.votes", (D, D), 0.6)],
}[sys.argv[1]]


def waves(line, shape, amplitude):
    values = [amplitude * math.sin(1.7 * i + 0.9 * line + 0.3) for i in range(shape[0] * shape[1])]
    return torch.tensor(values).reshape(shape)


P = {name: waves(line, shape, a).requires_grad_() for line, (name, shape, a) in enumerate(SHAPES)}


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def attention(x):
    positions = P["attention.position"][N - len(x):]
    hidden = torch.tanh((x + positions) @ P["attention.projection"] + P["attention.projection.bias"])
    return torch.softmax(hidden @ P["attention.heads"].T, dim=0).T @ x


def squash(z):
    s = (z * z).sum(-1, keepdim=True)
    return s / (1 + s) * z / torch.sqrt(s + 1e-9)


def philox(block, stream, purpose):
    """Philox4x32-10 (Salmon et al., SC 2011) under key 0."""
    c, key, mask = [block, stream, 0, purpose], [0, 0], 0xFFFFFFFF
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ key[0], q & mask, p >> 32 ^ c[3] ^ key[1], p & mask]
        key = [key[0] + 0x9E3779B9 & mask, key[1] + 0xBB67AE85 & mask]
    return c


def normal(interest, age):
    """Box-Muller on the upper 24 bits of the first two words; purpose 17 is routing."""
    a, b, _, _ = philox(interest, age, 17)
    return math.sqrt(-2 * math.log(((a >> 8) + 1) / 2**24)) * math.cos(2 * math.pi * (b >> 8) / 2**24)


def routed(votes, logits):
    stopped = votes.detach()
    for _ in range(2):
        v = squash(torch.einsum("kp,kpe->ke", torch.softmax(logits, dim=0), stopped))
        logits = logits + torch.einsum("kpe,ke->kp", stopped, v)
    return squash(torch.einsum("kp,kpe->ke", torch.softmax(logits, dim=0), votes))


def routing(x):
    n = len(x)
    matrices = P["routing.votes"].reshape(N, D, K, D)[N - n:]
    return routed(torch.einsum("pd,pdke->kpe", x, matrices), torch.zeros(K, n))


def shared_routing(x):
    n = len(x)
    votes = (x @ P["routing.votes"]).expand(K, n, D)
    return routed(votes, torch.tensor([[normal(k, n - 1 - p) for p in range(n)] for k in range(K)]))


MODULE = {"comirec-sa": attention, "comirec-dr": routing, "mind": shared_routing}[sys.argv[1]]
items = unit(P["items"])
total = 0
for history, target in zip(HISTORIES, TARGETS):
    interests = unit(MODULE(items[history]))
    nearest = interests[(interests @ items[target]).argmax()]
    total = total - torch.log_softmax(SCALE * (items @ nearest), dim=0)[target] / len(TARGETS)
total.backward()

round9 = lambda t: [round(x, 9) for x in t.reshape(-1).tolist()]
json.dump({"loss": round9(total.detach()), "gradients": {name: round9(p.grad) for name, p in P.items()}}, sys.stdout)
print()
