"""Held-out texts, masked: nats per masked word of masked language models with different vocabularies.
   usage: masked_words.py WORK MODEL...

Of each held-out set 400 pieces of 40 words, and 60 of 170, which reach behind position 128 (words and punctuation as BERT's
pre-tokenizer cuts them), taken evenly over its documents; 15 % of the words are masked, the same ones for every model, all tokens of a
word at once. A word's nats are the sum over its tokens; words that some model cannot spell are not masked.
"""
import random
import sys

import torch
from tokenizers import normalizers, pre_tokenizers
from transformers import AutoModelForMaskedLM, AutoTokenizer

work, folders = sys.argv[1], sys.argv[2:]
SETS = (("stories", "tiny"), ("children's stories", "child"), ("books", "books"), ("encyclopedia", "wiki_simple"), ("news", "wikinews"))
LENGTHS, SHARE, BATCH = ((40, 400), (170, 60)), 0.15, 20
normalize, cut = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()


def pieces(path, length, wanted):
    found = []
    for document in open(path, encoding="utf-8"):
        words = [w for w, _ in cut.pre_tokenize_str(normalize.normalize_str(document.replace("\t", " ")))]
        found += [words[at:at + length] for at in range(0, len(words) - length + 1, length)]
    return found[::max(1, len(found) // wanted)][:wanted]


class Model:
    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.known = {}

    def spell(self, word):
        if word not in self.known:
            self.known[word] = self.tokenizer(word, add_special_tokens=False)["input_ids"]
        return self.known[word]

    def can_spell(self, word):
        ids = self.spell(word)
        return bool(ids) and self.tokenizer.unk_token_id not in ids

    @torch.no_grad()
    def nats(self, batch):
        """batch: (words, masked word numbers) of each piece; the sum of -log p of the masked words, and the tokens of those."""
        t, rows, wanted = self.tokenizer, [], []
        for words, masked in batch:
            ids, labels = [t.cls_token_id], [-100]
            for i, word in enumerate(words):
                spelt = self.spell(word)
                ids += [t.mask_token_id] * len(spelt) if i in masked else spelt
                labels += spelt if i in masked else [-100] * len(spelt)
            rows.append(ids + [t.sep_token_id])
            wanted.append(labels + [-100])
        longest = max(map(len, rows))
        ids = torch.tensor([r + [t.pad_token_id] * (longest - len(r)) for r in rows])
        labels = torch.tensor([r + [-100] * (longest - len(r)) for r in wanted])
        logits = self.model(input_ids=ids, attention_mask=(ids != t.pad_token_id).long()).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        return loss.item(), int((labels != -100).sum())


torch.set_num_threads(1)
models = [Model(f) for f in folders]
for length, wanted in LENGTHS:
    for title, name in SETS:
        rng, batches, count = random.Random(7), [], 0
        for words in pieces("%s/%s.held" % (work, name), length, wanted):
            masked = {i for i, w in enumerate(words) if rng.random() < SHARE and all(m.can_spell(w) for m in models)}
            batches.append((words, masked))
            count += len(masked)
        print("%-20s %4d pieces of %3d words, %5d masked:" % (title, len(batches), length, count), end="")
        for m in models:
            each = [m.nats(batches[at:at + BATCH]) for at in range(0, len(batches), BATCH)]
            nats, tokens = map(sum, zip(*each))
            print("  %.0f nats, %.3f a word (%.2f tokens)" % (nats, nats / count, tokens / count), end="", flush=True)
        print()
