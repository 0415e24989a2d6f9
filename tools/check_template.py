# The comparison behind tools/check-template.
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

DATA = pathlib.Path(__file__).parent.parent / "tests/data/m3"
TEMPLATES = DATA / "templates"


def environment():
    import jinja2.ext
    import jinja2.nodes
    import jinja2.sandbox

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

        def _body(self, caller):
            return caller()

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda form: ""
    return made


def wanted(env, template, conversation):
    variables = {"tools": None, "documents": None, "add_generation_prompt": True} | conversation
    variables.pop("name", None)
    try:
        return env.from_string(template).render(**variables)
    except Exception:
        return None  # an error, whatever it says


def render(assay, template, conversation, folder):
    (folder / "t.jinja").write_text(template)
    (folder / "c.json").write_text(json.dumps(conversation))
    command = [assay, "engine", "render", folder, "--conversation", folder / "c.json"]
    command += ["--template", folder / "t.jinja", "--verbatim"]
    done = subprocess.run(command, capture_output=True)
    if done.returncode not in (0, 64):  # 64: an error of the template
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode() if done.returncode == 0 else None, done.stderr.decode()


def check_m3(assay, file, folder):
    golden = json.loads((DATA / "chat/golden.json").read_text())
    text = pathlib.Path(file).read_text()
    if hashlib.sha256(text.encode()).hexdigest() != golden["template_sha256"]:
        print(f"note: {file} is not the template that the hashes were made with")
    bad = 0
    for case in golden["cases"]:
        keys = ("messages", "tools", "thinking_mode", "add_generation_prompt", "model_identity")
        got, error = render(assay, text, {k: case[k] for k in keys if k in case}, folder)
        if "error" in case:
            same = got is None and case["error"] in error
        else:
            same = got is not None and hashlib.sha256(got.encode()).hexdigest() == case["sha256"]
        if not same:
            bad += 1
            print(f"{case['name']}: differs {error}")
    print(f"{len(golden['cases'])} conversations, {bad} differ")
    return bad


def main(assay, arguments):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if arguments[:1] == ["--m3"] and len(arguments) == 2:
            return check_m3(assay, arguments[1], folder)
        env = environment()
        conversations = json.loads((TEMPLATES / "conversations.json").read_text())
        files = [a for a in arguments if not a.startswith("--")]
        cases = []
        for file in files or sorted(TEMPLATES.glob("*.jinja")):
            text = pathlib.Path(file).read_text()
            cases += [(pathlib.Path(file).name + ":" + c["name"], text, c) for c in conversations]
        if not files:
            for text in json.loads((TEMPLATES / "expressions.json").read_text()):
                cases.append((text, text, conversations[0]))
        expected = {key: wanted(env, text, conversation) for key, text, conversation in cases}
        if "--write" in arguments:
            made = json.dumps(expected, ensure_ascii=False, indent=0) + "\n"
            (TEMPLATES / "expected.json").write_text(made)
            return 0
        bad = 0
        for key, text, conversation in cases:
            got, error = render(assay, text, conversation, folder)
            if got != expected[key]:
                bad += 1
                print(f"{key}\n  jinja2: {expected[key]!r}\n  assay:  {got!r} {error}")
        print(f"{len(cases)} renderings, {bad} differ")
        return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], sys.argv[2:]) else 0)
