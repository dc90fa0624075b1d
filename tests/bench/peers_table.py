#!/usr/bin/env python3
"""Markdown of the side-by-side runs: peers_table.py JSON... (of peers.py and tokenizers_bench.py; later rows replace earlier ones)."""
import json
import sys

NAMES = {"torch": "PyTorch", "compile": "torch.compile", "ort": "ONNX Runtime", "ov": "OpenVINO", "ovcache": "OpenVINO, model cache",
         "ct2": "CTranslate2", "llama": "llama.cpp"}
DTYPES = ("f32", "bf16", "int8", "int4")


def join(paths):
    peers, tokenizers = None, None
    for path in paths:
        with open(path) as f:
            body = json.load(f)
        if "bytes" in body:
            tokenizers = body
        elif peers is None:
            peers = body
        else:
            new = {(r["row"], r["engine"]) for r in body["rows"]}
            peers["rows"] = [r for r in peers["rows"] if (r["row"], r["engine"]) not in new] + body["rows"]
            peers["missing"] = [m for m in peers["missing"] if (m["row"], m["engine"]) not in new] + body["missing"]
            peers["runs"] += body["runs"]
    return peers, tokenizers


def ragged_best(rows):
    """Every engine's best way with a ragged batch, as one row."""
    best = {}
    for r in rows:
        if r["suite"] == "ragged" and r["passed"]:
            key = (r["model"], r["engine"])
            if key not in best or r["median_ms"] < best[key]["median_ms"]:
                best[key] = dict(r, row=r["model"] + " ragged 32, best way")
    return [r for r in rows if r["suite"] != "ragged"] + list(best.values())


def share(r):
    return "-" if r["suite"] == "cold" else "%.0f %%" % (100 * r["of_limit"])


def table(peers):
    machine = peers["machine"][0]
    print("\n## Side by side\n")
    print("One call of the reference harness a row: the same checkpoint and ids, every engine interleaved, outputs checked against PyTorch in")
    print("f32 before a time counts. x peer: the best rival's median over attend's, rivals of the same weights; below 1 attend **loses**.")
    print("Shares are of the harness's own limits, which know no tile registers (AMX): bf16 and int8 can be above 100 %.\n")
    print("%s, %d CPUs; %s. %s.\n" % (machine["cpu"], machine["cpus"], ", ".join(machine["flags"]),
                                     ", ".join("%s %s" % v for v in machine["versions"].items())))
    print("Runs: " + "; ".join("%s, %d rounds, load %.2f before, %.2f %% stolen" % (r["date"], r["rounds"], r["load_before"],
                                                                                   r["steal_percent"]) for r in peers["runs"]) + ".\n")
    print("| row | weights | x peer | best peer | attend, of the limit | peer, of the limit | memory, x peer | |")
    print("|---|---|---|---|---|---|---|---|")
    rows, lost = ragged_best(peers["rows"]), []
    for name in dict.fromkeys(r["row"] for r in rows):
        for dtype in DTYPES:
            here = [r for r in rows if r["row"] == name and r["dtype"] == dtype]
            mine = next((r for r in here if r["family"] == "attend"), None)
            rivals = [r for r in here if r["family"] != "attend" and r["passed"]]
            best = min(rivals, key=lambda r: r["median_ms"], default=None)
            if mine is None and best is None:
                continue
            if mine is None or not mine["passed"]:
                why = next((m["reason"] for m in peers["missing"] if m["row"] == name and m["engine"] == "attend-" + dtype), "")
                print("| %s | %s | - | %s | - | %s | - | %s |" % (name, dtype, NAMES[best["family"]] if best else "-", share(best) if best else "-",
                                                             "**void**: " + mine["parity"] if mine else "not run " + why))
                continue
            if best is None:
                print("| %s | %s | - | none | %s | - | - | |" % (name, dtype, share(mine)))
                continue
            ratio = best["median_ms"] / mine["median_ms"]
            if ratio < 1:
                lost.append("%s %s" % (name, dtype))
            print("| %s | %s | %.2f | %s | %s | %s | %.2f | %s |" % (
                name, dtype, ratio, NAMES[best["family"]], share(mine), share(best), mine["rss_mb"] / best["rss_mb"],
                "**lost**" if ratio < 1 else ""))
    rivals = sorted({NAMES[r["family"]] for r in rows if r["family"] != "attend"})
    print("\nLost: %s. Rivals in these runs: %s; no other engine was run." % (", ".join(lost) or "none", "; ".join(rivals)))


def tokenizers(body):
    print("\n## Tokenizers\n")
    print("In the process, ids alone, one text; ratios of speeds, first pass (empty caches) and warm. An engine whose ids differ is named.\n")
    print("| tokenizer | attend against | x first pass | x warm | |")
    print("|---|---|---|---|---|")
    rows = body["rows"]
    for name in dict.fromkeys(r[0] for r in rows):
        mine = next((r for r in rows if r[0] == name and r[1] == "attend"), None)
        if mine is None:
            continue
        for r in rows:
            if r[0] == name and r is not mine:
                note = "" if r[3] in ("reference", "ids equal") else r[3]
                print("| %s | %s | %.2f | %.2f | %s |" % (name, "itself, with offsets" if r[1] == "attend, offsets" else r[1],
                                                        r[2][0] / mine[2][0], min(r[2]) / min(mine[2]), note))
    for m in body["missing"]:
        print("\nNot run: " + m.split(":")[0] + ".")


def main():
    peers, tok = join(sys.argv[1:])
    if peers:
        table(peers)
    if tok:
        tokenizers(tok)


main()
