"""Our tokenizer against Hugging Face tokenizers; see tools/check-tokenizer."""

import json, os, random, subprocess, sys, tempfile
from tokenizers import Tokenizer

STRINGS = 100_000
SCRIPTS = [
    (0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x41, 0x5A), (0xA0, 0xFF), (0x100, 0x24F), (0x370, 0x3FF),
    (0x400, 0x52F), (0x531, 0x58F), (0x591, 0x5F4), (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF),
    (0xB80, 0xBFF), (0xC00, 0xC7F), (0xD00, 0xD7F), (0xE01, 0xE5B), (0xF00, 0xFFF), (0x1000, 0x109F),
    (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF), (0x1E00, 0x1EFF),
    (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x214F), (0x2460, 0x24FF), (0x3000, 0x30FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFF00, 0xFFEF), (0x10400, 0x1044F), (0x1D400, 0x1D7FF),
    (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0x2F800, 0x2FA1F),
]
MARKS = [(0x300, 0x36F), (0x591, 0x5BD), (0x64B, 0x65F), (0x93C, 0x94D), (0x1AB0, 0x1ACE), (0x1DC0, 0x1DFF),
         (0x20D0, 0x20F0), (0x1161, 0x1175), (0x11A8, 0x11C2), (0x9BE, 0x9BE), (0x3099, 0x309A), (0x1E8D0, 0x1E8D6)]
SPACES = " \t\n\r\v\f\x85\xa0\u1680\u180e\u2003\u2028\u2029\u202f\u3000\u200b\ufeff"
CONTRACTIONS = ["'s", "'S", "'t", "'re", "'RE", "'ve", "'m", "'ll", "'lL", "'d", "'\u017f", "\u2019s", "'", "'x"]
CODE = ["int main(int argc, char** argv) {\n    return 0;\n}\n", "def f(x):\n\treturn x ** 2\n", "// note\r\n//\r\n/* a */",
        "for (;;) { i += 0x1F; }\n\n\n", "#include <vector>\n", "SELECT * FROM t WHERE a <> 'b';", "x->y.z[3] = {1, 2,\n  3};",
        "<div class=\"a\">\n  <p>text</p>\n</div>", "http://example.org/a/b?c=d&e=%20#f", "assert foo() == [1, 22, 333, 4444, 55555]",
        "camelCaseName HTTPServer snake_case_name CONSTANT_NAME", "$ git log --oneline | head -n 10\n", "{\"a\": [1.5e-7, null, true]}"]


def generator(seed, markers):
    r = random.Random(seed)
    pick = lambda ranges: chr(r.randint(*r.choice(ranges)))

    def lookalike():
        marker = r.choice(markers)
        how = r.randrange(6)
        at = r.randrange(len(marker) + 1)
        if how == 0:
            return marker[:at]
        if how == 1:
            return marker[at:]
        if how == 2:
            return marker[:at] + r.choice(SPACES + "<>[]!~") + marker[at:]
        if how == 3:
            return marker[:at] + r.choice(markers) + marker[at:]
        return r.choice([marker, marker.upper(), marker + marker])

    def word():
        ranges = [r.choice(SCRIPTS)]
        return "".join(pick(ranges) for _ in range(r.randint(1, 12)))

    def marked():
        return "".join(pick([r.choice(SCRIPTS)]) + "".join(pick(MARKS) for _ in range(r.randint(0, 4)))
                       for _ in range(r.randint(1, 6)))

    kinds = [
        (8, word), (6, lambda: " " + word()), (4, lambda: "".join(r.choice(SPACES) for _ in range(r.randint(1, 6)))),
        (3, marked), (3, lookalike), (2, lambda: r.choice(CONTRACTIONS)), (3, lambda: r.choice(CODE)),
        (3, lambda: "".join(r.choice("0123456789.,٣४५๓Ⅷ½²") for _ in range(r.randint(1, 9)))),
        (3, lambda: "".join(r.choice("!?.,;:-_/\\()[]{}<>@#$%^&*+=~`|\"'") for _ in range(r.randint(1, 6)))),
        (1, lambda: chr(r.choice([r.randrange(0xD800), r.randrange(0xE000, 0x110000)]))),
        (1, lambda: "\U0001f469\u200d\U0001f4bb\ufe0f"),
        (1, lambda: r.choice("aA 之ก\n!7") * r.randint(20, 200)),
    ]
    weights = [k[0] for k in kinds]
    while True:
        yield "".join(k[1]() for k in r.choices(kinds, weights, k=r.randint(0, 12)))


def every_character():
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    for i in range(0, len(characters), 40):
        yield "".join(f"{c}a {c}1A{c}e\u0301{c}\u0316 " for c in characters[i:i + 40])


def ours(assay, folder, lines, *options):
    run = subprocess.run([assay, "engine", "tokenize", folder, *options], capture_output=True,
                         input="".join(json.dumps(line) + "\n" for line in lines), encoding="utf8")
    if run.returncode != 0:
        sys.exit(run.stderr)
    out = run.stdout.split("\n")[:-1]
    if len(out) != len(lines):
        sys.exit(f"{len(lines)} lines went in, {len(out)} came out")
    return [json.loads(line) for line in out]


def compare(what, inputs, expected, got):
    wrong = [i for i in range(len(inputs)) if expected[i] != got[i]]
    print(f"{what}: {len(inputs) - len(wrong)} of {len(inputs)} equal")
    for i in wrong[:5]:
        print(f"  input    {json.dumps(inputs[i])[:600]}\n  expected {json.dumps(expected[i])[:600]}\n"
              f"  got      {json.dumps(got[i])[:600]}")
    return len(wrong)


def main(assay, file):
    theirs = Tokenizer.from_file(file)
    markers = sorted(token.content for token in theirs.get_added_tokens_decoder().values()) or ["<s>"]
    random_strings = generator(1, markers)
    texts = [next(random_strings) for _ in range(STRINGS)] + list(every_character())
    r = random.Random(2)
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.abspath(file), os.path.join(folder, "tokenizer.json"))
        ids = [e.ids for e in theirs.encode_batch(texts, add_special_tokens=False)]
        wrong = compare(f"{file}: encode", texts, ids, ours(assay, folder, texts))
        # Cut anywhere, also inside a character, and nonsense.
        cuts = [i[r.randint(0, 5):len(i) - r.randint(0, 5)] for i in ids[:STRINGS]]
        cuts += [[r.randrange(theirs.get_vocab_size()) for _ in range(20)] for _ in range(STRINGS // 10)]
        for name, options, skip in (("decode", ["--decode"], True), ("decode, special tokens kept",
                                                                   ["--decode", "--keep-special"], False)):
            expected = theirs.decode_batch(cuts, skip_special_tokens=skip)
            wrong += compare(f"{file}: {name}", cuts, expected, ours(assay, folder, cuts, *options))
    sys.exit(1 if wrong else 0)


main(*sys.argv[1:])
