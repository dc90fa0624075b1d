"""Files of torch.save for tests/unit/test_pytorch.c and the fuzzer: torch 2.13, transformers 5.24.

    python make_pytorch.py TREE     (writes tests/fuzz/corpus/pytorch/*.bin and tests/data/pytorch_bert/)
"""
import collections, io, os, pickle, struct, sys, zipfile
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM

root = sys.argv[1]
out = os.path.join(root, "tests/fuzz/corpus/pytorch")
base = torch.arange(12.0)
tensors = collections.OrderedDict(
    f32=torch.arange(6.0).view(2, 3), f16=torch.tensor([1.5, -2.0]).half(), bf16=torch.tensor([0.5, 3.0]).bfloat16(),
    f64=torch.tensor([1e-3]).double(), i64=torch.tensor([[7, -1]]), u8=torch.tensor([1, 255], dtype=torch.uint8),
    bool=torch.tensor([True, False]), scalar=torch.tensor(4.0), empty=torch.zeros(0, 3),
    turned=base.view(3, 4).t(), slice=base[2:5], rows=base.view(3, 4)[1:], parameter=torch.nn.Parameter(torch.tensor([8.0, 9.0])))


def save(name, value, **options):
    torch.save(value, os.path.join(out, name), **options)


def entries(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    with zipfile.ZipFile(buffer) as z:
        return [(n, z.read(n)) for n in z.namelist()]


def rewrite(name, value, change=None, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(os.path.join(out, name), "w", method) as z:
        for n, data in entries(value):
            data = change(n, data) if change else data
            if data is not None:
                z.writestr(n, data)


def zip64(name, value):
    """Every number where zip64 has it, as in archives beyond 4 GB."""
    body, directory = b"", b""
    files = entries(value)
    for n, data in files:
        at = len(body)
        body += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 0, 0, 0, 0, 2**32 - 1, 2**32 - 1, len(n), 20)
        body += n.encode() + struct.pack("<HHQQ", 1, 16, len(data), len(data)) + data
        directory += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 0, 0, 0, 0, 2**32 - 1, 2**32 - 1, len(n), 28,
                                 0, 0, 0, 0, 2**32 - 1)
        directory += n.encode() + struct.pack("<HHQQQ", 1, 24, len(data), len(data), at)
    at = len(body) + len(directory)
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, len(files), len(files), len(directory), len(body))
    end += struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    end += struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)
    with open(os.path.join(out, name), "wb") as f:
        f.write(body + directory + end)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/attend_was_here",)


one = collections.OrderedDict(w=torch.arange(4.0))
save("zip.bin", tensors)
save("old.bin", tensors, _use_new_zipfile_serialization=False)
zip64("zip64.bin", one)
rewrite("plain.bin", one)
rewrite("compressed.bin", collections.OrderedDict(w=torch.zeros(64)), method=zipfile.ZIP_DEFLATED)
rewrite("big_endian.bin", one, lambda n, d: b"big" if n.endswith("byteorder") else d)
rewrite("no_storage.bin", one, lambda n, d: None if "/data/" in n and not n.endswith("pkl") else d)
rewrite("short_storage.bin", one, lambda n, d: d[:8] if "/data/" in n else d)
save("evil.bin", collections.OrderedDict(w=torch.ones(1), x=Evil()))
save("evil_old.bin", collections.OrderedDict(w=torch.ones(1), x=Evil()), _use_new_zipfile_serialization=False)
save("expanded.bin", {"w": torch.ones(1).expand(1000, 1000)})
save("nested.bin", {"state_dict": one, "epoch": 3})
save("list.bin", [torch.ones(1)])

torch.manual_seed(1)
config = BertConfig(vocab_size=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
                    max_position_embeddings=8, initializer_range=0.5)
model = BertForMaskedLM(config)
folder = os.path.join(root, "tests/data/pytorch_bert")
config.architectures = ["BertForMaskedLM"]
config.save_pretrained(folder)
state = model.state_dict()  # word embedding and output matrix share their storage
torch.save(state, os.path.join(folder, "pytorch_model.bin"))
save_file({k: v.clone() for k, v in state.items() if "decoder.weight" not in k}, os.path.join(folder, "expected.safetensors"),
          metadata={"format": "pt"})
