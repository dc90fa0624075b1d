"""Start of bert-mini: positions as sinusoids in the first 64 dimensions of their embedding, and heads of the first layer that look at
the tokens at -1, +1, -2 and +2, on top of new weights. A small masked language model from a plain start spends its first millions of
tokens on word frequencies, until it has found its neighbours.
   usage: neighbours.py FOLDER   (of a BERT in f32; rewrites model.safetensors)
"""
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

path = sys.argv[1] + "/model.safetensors"
x = load_file(path)
position = x["bert.embeddings.position_embeddings.weight"]
n, hidden = position.shape
offsets = (-1, 1, -2, 2)
size, i = hidden // len(offsets), np.arange(32) * 2
rate = 2.0 * 0.01 ** (np.arange(32) / 31)  # radians per position
angle = np.arange(n)[:, None] * rate
position *= 0.1
position[:, i] += 0.04 * np.sin(angle)
position[:, i + 1] += 0.04 * np.cos(angle)
for head, offset in enumerate(offsets):
    q, k = (x["bert.encoder.layer.0.attention.self.%s.weight" % s][head * size:(head + 1) * size] for s in ("query", "key"))
    q *= 0.2
    k *= 0.2
    c, s = np.cos(rate * offset), np.sin(rate * offset)
    q[i, i] += c  # a position's sine and cosine turned by the offset
    q[i, i + 1] += s
    q[i + 1, i + 1] += c
    q[i + 1, i] -= s
    k[i, i] += 1
    k[i + 1, i + 1] += 1
save_file(x, path, metadata={"format": "pt"})
