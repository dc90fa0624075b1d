"""check.py ATTEND FOLDER...: each folder loads in transformers without a missing, unexpected or reshaped tensor; its tokenizer gives
the ids that attend's gives; logits of both agree within 1e-5 of the largest one (of numbers below 1: within 1e-5)."""

import json
import subprocess
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

TEXTS = ["A wonderful film.", "The waiter was rude and the soup was cold, but what a view!"]
transformers.logging.set_verbosity_error()


def check(attend, folder):
    name = json.load(open(f"{folder}/config.json"))["architectures"][0]
    model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    wrong = {key: names for key, names in info.items() if names}
    if wrong:
        return f"tensors: {wrong}"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    worst = 0.0
    model.eval()
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        ours = subprocess.run([attend, "tokenize", "--format", "ids", "-m", folder, text], capture_output=True, text=True, check=True).stdout
        if [int(i) for i in ours.split()] != ids:
            return f"ids of {text!r}: {ours!r}, expected {ids}"
        inputs = {"input_ids": torch.tensor([ids])}
        save_file(inputs, "inputs.safetensors")
        subprocess.run([attend, "forward", "-m", folder, "--in", "inputs.safetensors", "--out", "outputs.safetensors"], check=True)
        with torch.no_grad():
            expected = model(**inputs)
        found = load_file("outputs.safetensors")
        keys = [key for key in expected.keys() if key.endswith("logits")]
        if not keys:
            return "no logits"
        for key in keys:
            if found[key].shape != expected[key].shape:
                return f"{key}: shape {tuple(found[key].shape)}, expected {tuple(expected[key].shape)}"
            scale = max(1.0, float(expected[key].abs().max()))
            worst = max(worst, float((found[key] - expected[key]).abs().max()) / scale)
    print(f"{folder}: {name}, largest difference {worst:.1e}")
    return None if worst <= 1e-5 else f"logits differ by {worst:.1e}"


def main():
    failed = False
    for folder in sys.argv[2:]:
        problem = check(sys.argv[1], folder)
        if problem:
            print(f"{folder}: {problem}")
            failed = True
    sys.exit(failed)


main()
