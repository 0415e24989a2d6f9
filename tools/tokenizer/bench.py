"""Our tokenizer and Hugging Face tokenizers in turns; see tools/bench-tokenizer."""

import json, os, random, re, subprocess, sys, time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROUNDS, DOCUMENT = 3, 8192


def many_scripts(size):
    """Lines of one script each; few words are frequent and most are rare, as in any language."""
    r = random.Random(1)
    letters = {"ru": (0x430, 0x450), "el": (0x3B1, 0x3CA), "ar": (0x627, 0x64B), "he": (0x5D0, 0x5EB),
               "hi": (0x915, 0x93A), "th": (0xE01, 0xE2F), "ko": (0xAC00, 0xD7A4), "ja": (0x3041, 0x3097),
               "zh": (0x4E00, 0x7000), "hy": (0x561, 0x587), "ka": (0x10D0, 0x10F1), "en": (0x61, 0x7B)}
    signs = {"hi": (0.6, [0x93E, 0x93F, 0x940, 0x941, 0x947, 0x94D]), "th": (0.4, [0xE31, 0xE34, 0xE35, 0xE48, 0xE49])}

    def word(name, alphabet):
        out = ""
        for _ in range(r.randint(1, 4 if name in ("zh", "ja", "ko", "hi", "th") else 10)):
            out += alphabet[min(int(r.paretovariate(0.9) - 1) * 2 + r.randrange(2), len(alphabet) - 1)]
            if name in signs and r.random() < signs[name][0]:
                out += chr(r.choice(signs[name][1]))
        return out

    words = {}
    for name, (first, last) in letters.items():
        alphabet = [chr(c) for c in range(first, last)]
        r.shuffle(alphabet)
        words[name] = [word(name, alphabet) for _ in range(20000)]
    out, length = [], 0
    while length < size:
        name = r.choice(list(words))
        line = []
        for _ in range(r.randint(20, 80)):
            line.append(words[name][min(int(r.paretovariate(0.4)) - 1, 19999)])
            if name in ("zh", "ja"):
                line.append(r.choice("、。，！？") if r.random() < 0.15 else "")
            elif name == "th":
                line.append(" " if r.random() < 0.2 else "")
            else:
                line.append(r.choice([", ", ". ", " - ", "; ", " (", ") ", " 12 ", " 2024 "]) if r.random() < 0.12 else " ")
        out.append("".join(line) + "\n")
        length += len(out[-1].encode())
    return "".join(out)


def trained(like, files, out):
    base = json.load(open(like))
    split = base["pre_tokenizer"]["pretokenizers"][0]
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(split["pattern"]["Regex"]), "removed", split["invert"]),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train(files, trainers.BpeTrainer(vocab_size=40000, show_progress=False,
                                       initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    for token in base["added_tokens"]:
        add = t.add_special_tokens if token["special"] else t.add_tokens
        add([AddedToken(token["content"], normalized=False, special=token["special"])])
    t.save(out)


def documents(text):
    out, data = [], text.encode()
    while data:
        end = data.find(b"\n", DOCUMENT - 1) if len(data) > DOCUMENT else -1
        end = len(data) if end < 0 else end + 1
        out.append(data[:end].decode())
        data = data[end:]
    return out


def theirs(file, text):
    t, docs, size = Tokenizer.from_file(file), documents(text), len(text.encode()) / 1e6
    best = 0
    for call in (lambda: [t.encode(d, add_special_tokens=False) for d in docs],
                 lambda: t.encode_batch_fast(docs, add_special_tokens=False)):
        for _ in range(3):
            began = time.perf_counter()
            encoded = call()
            best = max(best, size / (time.perf_counter() - began))
    return best, sum(len(e) for e in encoded)


def main(program, folder, like, file):
    names = ["english-and-code", "twelve-scripts"]
    paths = [os.path.join(folder, n + ".txt") for n in names]
    if not os.path.exists(paths[1]):
        open(paths[1], "w").write(many_scripts(4_000_000))
    if not file:
        file = os.path.join(folder, "trained.json")
        if not os.path.exists(file):
            trained(like, paths, file)
    for name, path in zip(names, paths):
        text = open(path, newline="").read()
        ratios = []
        for _ in range(ROUNDS):
            hf, count = theirs(file, text)
            line = subprocess.run([program, file, path], check=True, capture_output=True, text=True).stdout
            ours = float(re.search(r"encode ([\d.]+)", line)[1])
            if f" {count} tokens" not in line:
                sys.exit(f"{name}: {count} tokens there, but here: {line}")
            ratios.append((ours / hf, ours, hf, line))
        ratio, ours, hf, line = sorted(ratios)[ROUNDS // 2]
        print(f"{name} ({len(text.encode()) / 1e6:.1f} MB): ours {ours:.1f} MB/s, tokenizers {hf:.2f} MB/s, "
              f"ratio {ratio:.1f}; ours: {line.strip()}", flush=True)


main(*sys.argv[1:])
