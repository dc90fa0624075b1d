#!/usr/bin/env python3
"""Makes the folders beside this file and tasks.json: small seeded checkpoints and what the reference's pipelines say of texts.

usage: make_tasks.py QUESTION_ANSWERING_PY

transformers 5.24.0, torch 2.13.0 (CPU). QUESTION_ANSWERING_PY is pipelines/question_answering.py of transformers 4.57.1, the last
release with that pipeline; its functions decode_spans and select_starts_ends are used from there.
"""
import json
import os
import shutil
import sys

import numpy as np
import torch
import transformers as T
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = os.path.dirname(os.path.abspath(__file__))
T.logging.set_verbosity_error()
TEXTS = ["The cat sat on the mat.", "Ann lives in Oslo, not in New York!", "unhappily", "", "  A   dog \u00e9t\u00e9 \u6771\u4eac barks ",
         "Bob's 12 cats like Zo\u00eb \U0001f600 and the sea.", "the the the the the the the the the the the the the the the the the"]
LONG = "Ann and Bob live in New York. The cat sat on the mat and the dog barks at the sea in Oslo. " * 3
WORDS = "the a cat dog sat on mat in and lives live like likes sea new york oslo ann bob not barks at un ##happi ##ly ##s".split()
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"]


def wordpiece():
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(".,!?'") + list(letters) + ["##" + c for c in letters]
    vocab += WORDS
    vocab = list(dict.fromkeys(vocab))
    t = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocab)}, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = decoders.WordPiece()
    return T.BertTokenizer(tokenizer_object=t, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
                           mask_token="[MASK]", model_max_length=48)


def bytelevel():
    vocab = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("t", "h"), ("th", "e"), ("\u0120", "the"), ("a", "n"), ("\u0120", "a"), ("i", "n"), ("\u0120", "in"), ("c", "a"), ("ca", "t")]
    for a, b in merges:
        vocab[a + b] = len(vocab)
    vocab["<|endoftext|>"] = len(vocab)
    t = Tokenizer(models.BPE(vocab, merges))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return T.GPT2TokenizerFast(tokenizer_object=t, unk_token="<|endoftext|>", bos_token="<|endoftext|>", eos_token="<|endoftext|>",
                               model_max_length=32)


def save(name, model, tokenizer, scale=0.6):
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    with torch.no_grad():
        for n, p in model.named_parameters():
            if p.dim() > 1:
                p.normal_(0, scale / (1 if "embed" in n or "wte" in n or "wpe" in n else p.shape[-1] ** 0.5) * (3 if "class" in n or "score" in n or "qa_" in n else 1))
            else:
                p.normal_(1 if "LayerNorm.weight" in n or "ln_" in n and n.endswith("weight") else 0, 0.2)
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def plain(o):
    if isinstance(o, list):
        return [plain(x) for x in o]
    if isinstance(o, dict):
        return {k: plain(v) for k, v in o.items()}
    return o.item() if isinstance(o, np.generic) else o


def answers(model, tk, source, q, c, top_k=1, doc_stride=None, max_answer_len=15, max_seq_len=None, impossible=False, align=True):
    """QuestionAnsweringPipeline of 4.57.1 without its class: preprocess, forward, postprocess."""
    space = {"np": np}
    exec(source[source.index("def decode_spans"):source.index("class QuestionAnsweringArgumentHandler")], space)
    max_seq_len = max_seq_len or min(tk.model_max_length, 384)
    doc_stride = doc_stride if doc_stride is not None else min(max_seq_len // 2, 128)
    e = tk(q, c, truncation="only_second", max_length=max_seq_len, stride=doc_stride, return_overflowing_tokens=True,
           return_offsets_mapping=True)
    out, null = [], 1000000
    for w in range(len(e["input_ids"])):
        ids = e["input_ids"][w]
        mask = [s != 1 and i != tk.cls_token_id for s, i in zip(e.sequence_ids(w), ids)]
        with torch.no_grad():
            o = model(torch.tensor([ids]), token_type_ids=torch.tensor([e["token_type_ids"][w]]))
        starts, ends, scores, null = space["select_starts_ends"](
            o.start_logits.numpy(), o.end_logits.numpy(), mask, np.ones((1, len(ids)), int), null, top_k * 2 + 10 if align else top_k,
            impossible, max_answer_len)
        for s, t, score in zip(starts, ends, scores):
            if score == 0:
                continue
            a, b = e[w].offsets[s][0], e[w].offsets[t][1]
            if align and e[w].token_to_word(int(s)) is not None and e[w].token_to_word(int(t)) is not None:
                a = e[w].word_to_chars(e[w].token_to_word(int(s)), sequence_index=1)[0]
                b = e[w].word_to_chars(e[w].token_to_word(int(t)), sequence_index=1)[1]
            known = [x for x in out if x["answer"].lower() == c[a:b].lower()]
            if known:
                known[0]["score"] += score.item()
            else:
                out.append(dict(score=score.item(), start=a, end=b, answer=c[a:b]))
    if impossible:
        out.append(dict(score=null, start=0, end=0, answer=""))
    return sorted(out, key=lambda x: x["score"], reverse=True)[:top_k]


def jointly(model, tk, text, top_k):
    """Every pair for two masks: p(first) * p(second | first)."""
    ids = torch.tensor([tk(text)["input_ids"]])
    a, b = (ids[0] == tk.mask_token_id).nonzero().ravel().tolist()
    with torch.no_grad():
        first = model(ids).logits[0, a].softmax(-1)
        rows = ids.repeat(len(first), 1)
        rows[:, a] = torch.arange(len(first))
        product = first[:, None] * model(rows).logits[:, b].softmax(-1)
    out = []
    for i in product.ravel().argsort(descending=True)[:top_k].tolist():
        pair = [i // len(first), i % len(first)]
        filled = ids[0].clone()
        filled[[a, b]] = torch.tensor(pair)
        out.append(dict(score=product.ravel()[i].item(), tokens=pair, sequence=tk.decode(filled, skip_special_tokens=True)))
    return out


def perplexity(model, tk, text, length, stride):
    """huggingface.co/docs/transformers/perplexity"""
    ids, total, count, previous = tk(text, return_tensors="pt").input_ids, 0.0, 0, 0
    for begin in range(0, ids.size(1), stride):
        end = min(begin + length, ids.size(1))
        labels = ids[:, begin:end].clone()
        labels[:, :-(end - previous)] = -100
        with torch.no_grad():
            loss = model(ids[:, begin:end], labels=labels).loss
        n = (labels != -100).sum().item() - 1
        total, count, previous = total + (loss.item() * n if n else 0), count + n, end
        if end == ids.size(1):
            break
    return float(np.exp(total / count))


def main():
    source, cases, tk = open(sys.argv[1]).read(), [], wordpiece()
    base = dict(vocab_size=len(tk), hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
                max_position_embeddings=48)

    def add(folder, task, inputs, expected, **options):
        cases.append(dict(folder=folder, task=task, options=options, inputs=inputs, expected=plain(expected)))

    torch.manual_seed(1)
    for name, more in (("classify", dict(num_labels=4, id2label={0: "bad", 1: "poor", 2: "fair", 3: "good"})),
                       ("multilabel", dict(num_labels=3, problem_type="multi_label_classification")),
                       ("regression", dict(num_labels=1, problem_type="regression"))):
        m = T.BertForSequenceClassification(T.BertConfig(**base, **more))
        folder = save(name, m, tk)
        p = T.pipeline("text-classification", model=m, tokenizer=tk)
        add(name, "classify", TEXTS, [p(t, top_k=None) for t in TEXTS])
        if name == "classify":
            pairs = [[a, b] for a, b in zip(TEXTS, TEXTS[1:])]
            add(name, "classify", pairs, [p(dict(text=a, text_pair=b), top_k=None) for a, b in pairs])
    m = T.BertForTokenClassification(T.BertConfig(**base, id2label=dict(enumerate(LABELS)), num_labels=len(LABELS)))
    save("ner", m, tk)
    for s in ("none", "simple", "first", "average", "max"):
        p = T.pipeline("token-classification", model=m, tokenizer=tk, aggregation_strategy=s)
        add("ner", "ner", TEXTS, [p(t) for t in TEXTS], aggregation=s)
    p = T.pipeline("token-classification", model=m, tokenizer=tk, aggregation_strategy="first", stride=6)
    add("ner", "ner", [LONG], [p(LONG)], aggregation="first", stride=6)
    m = T.BertForQuestionAnswering(T.BertConfig(**base))
    save("qa", m, tk)
    pairs = [["Where is Ann?", TEXTS[1]], ["who barks?", TEXTS[4]], ["what?", TEXTS[5]], ["Where is Bob?", LONG]]
    for o in (dict(), dict(top_k=5), dict(top_k=3, align=False), dict(top_k=4, max_seq_len=30, doc_stride=9),
              dict(top_k=3, impossible=True, max_answer_len=3)):
        add("qa", "qa", pairs, [answers(m, tk, source, q, c, **o) for q, c in pairs], **o)
    m = T.BertForPreTraining(T.BertConfig(**base))
    save("mlm", m, tk)
    with torch.no_grad():
        pairs = [[a, b] for a, b in zip(TEXTS, TEXTS[1:]) if b]
        add("mlm", "next_sentence", pairs,
            [m(**tk(a, b, return_tensors="pt")).seq_relationship_logits.softmax(-1)[0, 0].item() for a, b in pairs])
    m = T.BertForMaskedLM.from_pretrained(os.path.join(HERE, "mlm"))
    p = T.pipeline("fill-mask", model=m, tokenizer=tk)
    masked = ["The [MASK] sat on the mat.", "[MASK]", "Ann likes the [MASK], not [MASK]!", "a [MASK] \u6771 dog [MASK] [MASK]"]
    wrap = lambda r: r if isinstance(r[0], list) else [r]
    add("mlm", "fill_mask", masked, [wrap(p(t, top_k=6)) for t in masked], top_k=6)
    add("mlm", "fill_mask", masked, [wrap(p(t, targets=["cat", "sea", "unhappily", "dog"])) for t in masked],
        targets=["cat", "sea", "unhappily", "dog"])
    add("mlm", "fill_joint", [masked[2]], [jointly(m, tk, masked[2], 6)], top_k=6)

    m = T.BertModel(T.BertConfig(**base))
    folder = save("sentence", m, tk)
    dense = torch.nn.Linear(24, 7)
    for d, c in (("1_Pooling", dict(word_embedding_dimension=12, pooling_mode_cls_token=True, pooling_mode_mean_tokens=False,
                                    pooling_mode_max_tokens=True)),
                 ("2_Dense", dict(in_features=24, out_features=7, bias=True, activation_function="torch.nn.modules.activation.Tanh"))):
        os.makedirs(os.path.join(folder, d), exist_ok=True)
        json.dump(c, open(os.path.join(folder, d, "config.json"), "w"), indent=2)
    save_file({"linear.weight": dense.weight.detach(), "linear.bias": dense.bias.detach()}, os.path.join(folder, "2_Dense/model.safetensors"))
    types = ["Transformer", "Pooling", "Dense", "Normalize"]
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    json.dump([dict(idx=i, name=str(i), path=paths[i], type="sentence_transformers.models." + types[i]) for i in range(4)],
              open(os.path.join(folder, "modules.json"), "w"), indent=2)
    json.dump(dict(max_seq_length=10, do_lower_case=False), open(os.path.join(folder, "sentence_bert_config.json"), "w"))

    def vectors(text, how):
        with torch.no_grad():
            h = m(**tk(text.strip(), return_tensors="pt", truncation=True, max_length=10)).last_hidden_state[0]
            if how == "modules":
                v = torch.tanh(dense(torch.cat([h[0], h.max(0).values])))
                return (v / v.norm()).tolist()
            n = len(h)
            at = torch.arange(1, n + 1)[:, None]
            v = dict(mean=h.mean(0), cls=h[0], last=h[-1], max=h.max(0).values, mean_sqrt=h.sum(0) / n ** 0.5,
                     weighted=(h * at).sum(0) / at.sum())[how]
            return (v / v.norm()).tolist()
    for how in ("modules", "mean", "cls", "last", "max", "mean_sqrt", "weighted"):
        add("sentence", "embed", TEXTS, [vectors(t, how) for t in TEXTS], pooling=how)

    tk = bytelevel()
    m = T.GPT2LMHeadModel(T.GPT2Config(vocab_size=len(tk), n_positions=32, n_embd=12, n_layer=2, n_head=3, bos_token_id=len(tk) - 1,
                                       eos_token_id=len(tk) - 1))
    save("gpt", m, tk)
    tk = T.AutoTokenizer.from_pretrained(os.path.join(HERE, "gpt"))
    for length, stride in ((32, 32), (32, 10), (16, 5), (2, 1)):
        add("gpt", "perplexity", [LONG], [perplexity(m, tk, LONG, length, stride)], max_length=length, stride=stride)
    with open(os.path.join(HERE, "tasks.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
