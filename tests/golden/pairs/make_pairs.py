"""Masked words and sentence pairs, learned together by the reference: start weights, then the trace of a training run.

usage: make_pairs.py start nsp|sop     nsp/ or sop/: config.json and seeded weights of a tiny BERT or ALBERT
       make_pairs.py trace nsp|sop     trace.tsv, final.safetensors and tolerance.tsv from the batches that attend trained on

The loss is that of BertForPreTraining (labels, next_sentence_label) and AlbertForPreTraining (labels, sentence_order_label): the
sum of two means. Computed in float64; tolerances are 20 times the error of the same run in float32.
"""
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AlbertConfig, AlbertForPreTraining, BertConfig, BertForPreTraining
from transformers import get_linear_schedule_with_warmup

what, kind = sys.argv[1], sys.argv[2]
VOCAB, STEPS, WARMUP, RATE, DECAY = 128, 12, 3, 2e-3, 0.1
common = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40,
              max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0)


def build():
    if kind == "nsp":
        return BertForPreTraining, BertConfig(**common)
    return AlbertForPreTraining, AlbertConfig(embedding_size=12, classifier_dropout_prob=0.0, **common)


if what == "start":
    torch.manual_seed(11 if kind == "nsp" else 12)
    cls, config = build()
    model = cls(config)
    for p in model.parameters():  # far from zero, so that every path carries a gradient
        torch.nn.init.normal_(p, std=0.2) if p.dim() > 1 else p.data.add_(0.1 * torch.randn_like(p))
    model.save_pretrained(kind)
    sys.exit()

batches = load_file(kind + "/batches.safetensors")


def run(dtype):
    model = build()[0].from_pretrained(kind, dtype=dtype)
    model.train()  # without dropout: config.json says 0
    exempt = ("bias", "LayerNorm.weight", "layer_norm.weight")
    decayed = [p for n, p in model.named_parameters() if not n.endswith(exempt)]
    plain = [p for n, p in model.named_parameters() if n.endswith(exempt)]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}],
                                  lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    lines = []
    for step in range(STEPS):
        b = {n: batches["step.%d.%s" % (step, n)].long() for n in ("ids", "types", "labels", "offsets", "pairs")}
        starts = b["offsets"].tolist()
        rows, width = len(starts) - 1, max(e - s for s, e in zip(starts, starts[1:]))
        grid = {n: torch.full((rows, width), -100 if n == "labels" else 0) for n in ("ids", "types", "labels", "mask")}
        for i, (s, e) in enumerate(zip(starts, starts[1:])):
            for n in ("ids", "types", "labels"):
                grid[n][i, :e - s] = b[n][s:e]
            grid["mask"][i, :e - s] = 1
        pairs = {"next_sentence_label" if kind == "nsp" else "sentence_order_label": b["pairs"]}
        loss = model(input_ids=grid["ids"], attention_mask=grid["mask"], token_type_ids=grid["types"],
                     labels=grid["labels"], **pairs).loss
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        lines.append((loss.item(), float(norm)))
        optimizer.step()
        schedule.step()
    return lines, {n: p.detach().to(torch.float64) for n, p in model.named_parameters()}


exact, final = run(torch.float64)
rough, rough_final = run(torch.float32)
with open(kind + "/trace.tsv", "w") as f:
    for loss, norm in exact:
        f.write("%.9g\t%.9g\n" % (loss, norm))
# A key's bias has no gradient but rounding, which Adam blows up: it is compared with nothing.
compared = [n for n in final if not n.endswith("key.bias")]
with open(kind + "/tolerance.tsv", "w") as f:
    f.write("loss\t%.2g\n" % (20 * max(abs(a[0] - b[0]) for a, b in zip(exact, rough))))
    f.write("norm\t%.2g\n" % (20 * max(abs(a[1] - b[1]) for a, b in zip(exact, rough))))
    f.write("final\t%.2g\n" % (20 * max((final[n] - rough_final[n]).abs().max().item() for n in compared)))
save_file({n: final[n].to(torch.float32).contiguous() for n in compared}, kind + "/final.safetensors")
