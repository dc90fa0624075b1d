#!/usr/bin/env python3
"""Writes unicode_tables.c: the character tables of the reference tokenizers, asked of the reference itself.

    pip install tokenizers==0.23.3
    python3 make_unicode_tables.py > unicode_tables.c

Each stage of huggingface/tokenizers has its own Unicode version (8.0 in BertNormalizer, about 12 in the normal forms, 16 in
its regular expressions, 17 in lower-casing), so every class is found by running that stage over all code points. Python's
unicodedata only suggests combining classes and first-level decompositions, which are then checked by the reference.
"""
import unicodedata
from tokenizers import Regex, normalizers as N, pre_tokenizers as P

CPS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ALL = "".join(map(chr, CPS))
CATEGORIES = "Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()
SCRIPTS = "Han Hiragana Katakana Hangul Latin Greek Cyrillic Arabic".split()


def onig(cls):
    """Code points in a class of Oniguruma."""
    return set(map(ord, N.Replace(Regex("[^" + cls + "]"), "").normalize_str(ALL)))


def removed(normalizer, among=None):
    among = CPS if among is None else among
    return set(among) - set(map(ord, normalizer.normalize_str("".join(map(chr, among)))))


def bert(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return N.BertNormalizer(**dict(off, **on))


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def lines(items):
    row = "\t"
    for x in items:
        if len(row) + len(x) > 112:
            print(row.rstrip())
            row = "\t"
        row += x + " "
    print(row.rstrip())


def two_stage(name, value):
    blocks, index = {}, []
    for b in range(0x110000 >> 8):
        block = tuple(value.get(c, 0) for c in range(b << 8, (b + 1) << 8))
        index.append(blocks.setdefault(block, len(blocks)))
    assert len(blocks) <= 256
    print(f"const uint8_t {name}_index[0x1100] = {{")
    lines(f"{i}," for i in index)
    print(f"}};\nconst uint8_t {name}[][256] = {{")
    for block in blocks:
        print("\t{")
        lines(f"{v}," for v in block)
        print("\t},")
    print("};\n")


def emit_ranges(name, points):
    print(f"static const attend_unicode_range {name}[] = {{")
    lines("{0x%x, 0x%x}," % (a, b) for a, b in ranges(points))
    print("};\n")


# ---- classes ----
nfd = {c: N.NFD().normalize_str(chr(c)) for c in CPS}
nfkd = {c: N.NFKD().normalize_str(chr(c)) for c in CPS}
category = {}
for k in CATEGORIES:
    if k != "Cs":
        for c in onig(r"\p{" + k + "}"):
            category[c] = k
white = onig(r"\s")
clean = bert(clean_text=True)
control = {c for c in CPS if clean.normalize_str("a" + chr(c)) == "a"} - {0, 0xFFFD}
assert clean.normalize_str("".join(map(chr, sorted(white - control)))).strip(" ") == ""
punctuation = {c for c in CPS if len(P.Punctuation().pre_tokenize_str("a" + chr(c))) == 2}
mark8 = removed(bert(strip_accents=True), [c for c in CPS if nfd[c] == chr(c)])
combining = removed(N.StripAccents())
word = {c for c in CPS if P.Whitespace().pre_tokenize_str("a" + chr(c))[0][0] == "a" + chr(c)}
numeric = {c for c in CPS if len(P.Digits(individual_digits=True).pre_tokenize_str("a" + chr(c))) == 2}
letter, number = onig(r"\p{L}"), onig(r"\p{N}")
assert letter == {c for c, k in category.items() if k[0] == "L"} and number == {c for c, k in category.items() if k[0] == "N"}
lower = {c: N.Lowercase().normalize_str(chr(c)) for c in CPS}
lower = {c: s for c, s in lower.items() if s != chr(c)}
assert [c for c, s in lower.items() if len(s) > 1] == [0x130] and lower[0x130] == "i\u0307"

# ---- normal forms ----
hangul = lambda c: 0xAC00 <= c < 0xAC00 + 11172
suggested = {c: unicodedata.combining(chr(c)) for c in CPS}
seven = "\u093c"   # class 7
one = "\u0334"     # class 1
ccc = {}
for c in CPS:
    if nfd[c] != chr(c) or c in (0x93C, 0x334):
        continue
    s = chr(c)
    moves = N.NFD().normalize_str("a" + seven + s) == "a" + s + seven or N.NFD().normalize_str("a" + s + one) == "a" + one + s
    if moves:
        assert suggested[c], hex(c)
        ccc[c] = suggested[c]
ccc[0x93C], ccc[0x334] = 7, 1
for c, k in list(ccc.items()):
    # against every other class that has a character: order of the pair as the classes say
    for other, j in ((0x334, 1), (0x93C, 7), (0x5B0, 10), (0x5BF, 23), (0x64B, 27), (0x327, 202), (0x316, 220), (0x301, 230), (0x345, 240)):
        want = "a" + (chr(other) + chr(c) if j < k else chr(c) + chr(other))
        assert N.NFD().normalize_str("a" + chr(c) + chr(other)) == want, (hex(c), k, j)
pairs = []
for c in CPS:
    if nfd[c] == chr(c) or hangul(c) or N.NFC().normalize_str(chr(c)) != chr(c):
        continue
    a, b = [int(x, 16) for x in unicodedata.decomposition(chr(c)).split()]
    assert N.NFC().normalize_str(chr(a) + chr(b)) == chr(c), hex(c)
    pairs.append((a, b, c))
pairs.sort()

print("""/* unicode_tables.c: written by make_unicode_tables.py from tokenizers 0.23.3 (see there); do not edit. */
#include "tokenizer/unicode_tables.h"

/* clang-format off */
""")
flags = {}
for bit, points in enumerate((white, control, punctuation, mark8, combining, word, numeric, letter)):
    for c in points:
        flags[c] = flags.get(c, 0) | 1 << bit
two_stage("attend_unicode_class", flags)
shape = {}
for c in CPS:
    v = 0
    if nfd[c] != chr(c):
        v |= 1
    if nfkd[c] != chr(c):
        v |= 2
    if c in ccc:
        v |= 4
    if c in lower:
        v |= 8
    if v:
        shape[c] = v
for a, b, c in pairs:
    shape[b] = shape.get(b, 0) | 16
for c in list(range(0x1161, 0x1176)) + list(range(0x11A8, 0x11C3)):
    shape[c] = shape.get(c, 0) | 16
for c in number:
    shape[c] = shape.get(c, 0) | 32
two_stage("attend_unicode_shape", shape)
# ATTEND_KIND_... by general category
KINDS = {"Lu": 1, "Lt": 1, "Ll": 2, "Lm": 3, "Lo": 3, "M": 4, "N": 5, "P": 6, "S": 7}
two_stage("attend_unicode_kind", {c: 8 if c in white else KINDS.get(k, KINDS.get(k[0], 0)) for c, k in category.items()})

pool, entries = [], []
for c in CPS:
    if hangul(c) or nfkd[c] == chr(c):
        continue
    canonical = list(map(ord, nfd[c])) if nfd[c] != chr(c) else []
    compat = list(map(ord, nfkd[c])) if nfkd[c] != nfd[c] else []
    entries.append("{0x%x, %d, %d, %d}," % (c, len(pool), len(canonical), len(compat)))
    pool += canonical + compat
print("const uint32_t attend_unicode_pool[] = {")
lines("0x%x," % x for x in pool)
print("};\n\nconst attend_unicode_decomposition attend_unicode_decompositions[] = {")
lines(entries)
print("};\nconst size_t attend_unicode_decomposition_count = %d;\n" % len(entries))
print("const attend_unicode_pair attend_unicode_pairs[] = {")
lines("{0x%x, 0x%x, 0x%x}," % p for p in pairs)
print("};\nconst size_t attend_unicode_pair_count = %d;\n" % len(pairs))
rows = []
for c in sorted(ccc):
    if rows and rows[-1][1] == c - 1 and rows[-1][2] == ccc[c]:
        rows[-1][1] = c
    else:
        rows.append([c, c, ccc[c]])
print("const attend_unicode_value attend_unicode_combining_classes[] = {")
lines("{0x%x, 0x%x, %d}," % tuple(r) for r in rows)
print("};\nconst size_t attend_unicode_combining_class_count = %d;\n" % len(rows))
print("/* U+0130, which becomes two characters, is the caller's. */")
print("const attend_unicode_map attend_unicode_lowercase[] = {")
lines("{0x%x, 0x%x}," % (c, ord(s)) for c, s in sorted(lower.items()) if len(s) == 1)
print("};\nconst size_t attend_unicode_lowercase_count = %d;\n" % (len(lower) - 1))

# ---- scripts of UnicodeScripts: runs of one script, then which of them are the same ----
U = P.UnicodeScripts()
runs = []
anyscript = set()
for c in CPS:
    s = chr(c)
    if len(U.pre_tokenize_str("a" + s)) == 1 and len(U.pre_tokenize_str("\u4eac" + s)) == 1:
        anyscript.add(c)
for c in CPS:
    if c in anyscript:
        continue
    if runs and runs[-1][1] == c - 1 and len(U.pre_tokenize_str(chr(c - 1) + chr(c))) == 1:
        runs[-1][1] = c
    else:
        runs.append([c, c])
kinds, values = [], []
for a, b in runs:
    for i, k in enumerate(kinds):
        if len(U.pre_tokenize_str(chr(k) + chr(a))) == 1:
            values.append(i + 1)
            break
    else:
        kinds.append(a)
        values.append(len(kinds))
print("/* Scripts of the UnicodeScripts pre-tokenizer under numbers of our own; what is missing has any script. */")
print("const attend_unicode_value attend_unicode_scripts[] = {")
lines("{0x%x, 0x%x, %d}," % (a, b, v) for (a, b), v in zip(runs, values))
print("};\nconst size_t attend_unicode_script_count = %d;\n" % len(runs))

# ---- properties for regular expressions ----
sets = {}
for k in CATEGORIES:
    if k != "Cs":
        sets[k] = {c for c, v in category.items() if v == k}
for k in "LMNPSZ":
    sets[k] = {c for c, v in category.items() if v[0] == k}
for k in "alpha alnum upper lower graph print".split():
    sets[k] = onig("[:" + k + ":]")
sets["posixpunct"] = onig("[:punct:]")
sets["word"] = onig(r"\w")
sets["bareword"] = set(CPS) - set(map(ord, N.Replace(Regex(r"\w"), "").normalize_str(ALL)))  # outside brackets: some numbers too
sets["Cn"] = set(CPS) - set(category)
sets["C"] = onig(r"\p{C}")
sets["space"] = white
for k in SCRIPTS:
    sets[k] = onig(r"\p{" + k + "}")
for k, v in sets.items():
    emit_ranges("set_" + k.lower() if len(k) > 2 else "set_" + k, v)
print("/* Oniguruma's property names, as its lookup spells them: lower case, without blanks, hyphens and underscores. */")
LONG = dict(L="letter", Lu="uppercaseletter", Ll="lowercaseletter", Lt="titlecaseletter", Lm="modifierletter", Lo="otherletter", M="mark", Mn="nonspacingmark",
            Mc="spacingmark", Me="enclosingmark", N="number", Nd="decimalnumber", Nl="letternumber", No="othernumber", P="punctuation", Pc="connectorpunctuation",
            Pd="dashpunctuation", Ps="openpunctuation", Pe="closepunctuation", Pi="initialpunctuation", Pf="finalpunctuation", Po="otherpunctuation", S="symbol",
            Sm="mathsymbol", Sc="currencysymbol", Sk="modifiersymbol", So="othersymbol", Z="separator", Zs="spaceseparator", Zl="lineseparator", Zp="paragraphseparator",
            Cc="control", Cf="format", Co="privateuse")
ALIASES = {"Nd": ["digit"], "P": ["punct"], "space": ["whitespace"], "alpha": ["alphabetic"], "upper": ["uppercase"], "lower": ["lowercase"], "Cn": ["unassigned"], "C": ["other"]}
print("const attend_unicode_set attend_unicode_sets[] = {")
for k in sets:
    ident = "set_" + k.lower() if len(k) > 2 else "set_" + k
    for name in [k.lower()] + ([LONG[k]] if k in LONG else []) + ALIASES.get(k, []):
        print('\t{"%s", %s, sizeof %s / sizeof %s[0]},' % (name, ident, ident, ident))
print("};\nconst size_t attend_unicode_set_count = sizeof attend_unicode_sets / sizeof attend_unicode_sets[0];")
