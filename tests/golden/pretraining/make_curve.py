"""The reference's loss curve of a language model from scratch: the same initial weights, blocks, order and recipe as
`attend finetune --task lm --from-scratch`, trained by torch and transformers.

usage: make_curve.py FOLDER TEXT STEPS [BATCH LEARNING_RATE] > curve.tsv

FOLDER holds the initial weights: the result of `attend finetune ... --max-steps 1 --learning-rate 0`. curve.json of this
folder was written with torch 2.13.0 and transformers 5.24.0, by the commands in docs/training.md.
"""
import sys

import torch
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel, get_linear_schedule_with_warmup

folder, text, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
batch = int(sys.argv[4]) if len(sys.argv) > 4 else 8
rate = float(sys.argv[5]) if len(sys.argv) > 5 else 1e-3
SEED, WARMUP, DECAY = 42, 10, 0.1

tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)
model.train()  # without dropout: config.json says 0
length = model.config.n_positions

with open(text, encoding="utf-8", newline="") as f:
    ids = [i for e in tokenizer.encode_batch(f.read().splitlines(keepends=True)) for i in e.ids]
blocks = [ids[i:i + length] for i in range(0, len(ids), length)]
if len(blocks[-1]) < 2:
    blocks.pop()


def philox(seed, stream, counter):
    """Philox4x32-10, as lib/core/rng.c."""
    m = 0xffffffff
    k0, k1 = seed & m, seed >> 32
    c = [counter & m, counter >> 32, stream & m, stream >> 32]
    for _ in range(10):
        p0, p1 = 0xd2511f53 * c[0], 0xcd9e8d57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & m, p0 >> 32 ^ c[3] ^ k1, p0 & m]
        k0, k1 = (k0 + 0x9e3779b9) & m, (k1 + 0xbb67ae85) & m
    return c


def order_of(epoch):
    """The blocks of an epoch, as attend_batches_plan shuffles them."""
    stream, drawn = 0x45504F43 + (epoch << 32), 0

    def word():
        nonlocal drawn
        drawn += 1
        return philox(SEED, stream, (drawn - 1) // 4)[(drawn - 1) % 4]

    order = list(range(len(blocks)))
    for i in range(len(order), 1, -1):
        while True:
            value = word() << 32
            value |= word()
            if value >= (1 << 64) % i:
                break
        j = value % i
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


decayed = [p for n, p in model.named_parameters() if p.dim() > 1]
plain = [p for n, p in model.named_parameters() if p.dim() <= 1]
optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}],
                              lr=rate, betas=(0.9, 0.999), eps=1e-8)
schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, steps)
step, epoch = 0, 0
while step < steps:
    order = order_of(epoch)
    for at in range(0, len(order), batch):
        rows = [blocks[i] for i in order[at:at + batch]]
        width = max(map(len, rows))
        x = torch.zeros(len(rows), width, dtype=torch.long)
        labels = torch.full((len(rows), width), -100)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        for i, row in enumerate(rows):
            x[i, :len(row)] = labels[i, :len(row)] = torch.tensor(row)
            mask[i, :len(row)] = 1
        loss = model(input_ids=x, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        step += 1
        print("%d\t%.6f" % (step, loss.item()), flush=True)
        if step == steps:
            break
    epoch += 1
