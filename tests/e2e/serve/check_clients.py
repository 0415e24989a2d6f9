"""The official clients against a running `assay serve`: KIND BASE_URL KEY, KIND is script or m3."""

import base64, json, struct, sys, zlib

import anthropic
import openai

kind, base_url, key = sys.argv[1:4]
script = kind == "script"
MODEL = "tested"
TOOL = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
oai = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=120)
ant = anthropic.Anthropic(base_url=base_url.removesuffix("/v1"), api_key=key, max_retries=0, timeout=120)


def user(text):
    return [{"role": "user", "content": text}]


def png():
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + b"\x20\x80\xe0" * 8 for _ in range(8))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def refused(kind, call, *words):
    try:
        call()
    except kind as e:
        for word in words:
            assert word in str(e), (word, str(e))
        return e
    raise AssertionError(f"{kind.__name__} was not raised")


def openai_chat():
    assert [m.id for m in oai.models.list()] == [MODEL]
    assert oai.models.retrieve(MODEL).owned_by == "assay"
    answer = oai.chat.completions.create(model=MODEL, messages=user("hello"), max_tokens=12, seed=7)
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.prompt_tokens_details.cached_tokens >= 0
    assert answer.choices[0].finish_reason in ("stop", "length")
    again = oai.chat.completions.create(model=MODEL, messages=user("hello"), max_tokens=12, seed=7)
    assert again.choices[0].message == answer.choices[0].message
    if script:
        assert answer.choices[0].message.content == "Good day, said the model."


def openai_stream():
    text, usage = "", None
    whole = oai.chat.completions.create(model=MODEL, messages=user("hello"), max_tokens=12, seed=7)
    for chunk in oai.chat.completions.create(model=MODEL, messages=user("hello"), max_tokens=12, seed=7, stream=True,
                                             stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    assert text == (whole.choices[0].message.content or ""), (text, whole)
    assert usage.completion_tokens == whole.usage.completion_tokens


def openai_tools():
    tools = [{"type": "function", "function": {"name": "add", "description": "adds", "parameters": TOOL}}]
    messages = user("add them" + ("" if script else " please" * 400))  # pages of the cache are found again when full
    first = oai.chat.completions.create(model=MODEL, messages=messages, tools=tools, tool_choice="required",
                                        max_tokens=300, seed=1).choices[0]
    assert first.finish_reason == "tool_calls", first
    calls = first.message.tool_calls
    assert all(c.function.name == "add" and set(json.loads(c.function.arguments)) >= {"a", "b"} for c in calls)
    if script:
        assert len(calls) == 2 and calls[0].id != calls[1].id
        assert first.message.reasoning_content == "two tools"
    messages += [first.message] + [{"role": "tool", "tool_call_id": c.id, "content": "3"} for c in calls]
    second = oai.chat.completions.create(model=MODEL, messages=messages, tools=tools, max_tokens=300)
    if not script:
        assert second.usage.prompt_tokens_details.cached_tokens > 0, second.usage
    oai.chat.completions.create(model=MODEL, messages=messages, tools=tools, tool_choice="none", max_tokens=8)
    with oai.chat.completions.stream(model=MODEL, messages=user("please add them"), tools=tools,
                                     tool_choice={"type": "function", "function": {"name": "add"}}, max_tokens=300) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion().choices[0]
    assert final.message.tool_calls[0].function.name == "add"
    refused(openai.BadRequestError,
            lambda: oai.chat.completions.create(model=MODEL, messages=messages, tools=tools, tool_choice={
                "type": "function", "function": {"name": "subtract"}}), "tool_choice")


def openai_images():
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    part = lambda where: [{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": where}}]}]
    call = lambda where: oai.chat.completions.create(model=MODEL, messages=part(where), max_tokens=4)
    refused(openai.BadRequestError, lambda: call("https://example.org/x.png"), "fetches nothing")
    try:
        assert call(url).choices[0].finish_reason
    except openai.BadRequestError as e:
        assert not script and "image" in str(e)


def openai_logprobs():
    answer = oai.chat.completions.create(model=MODEL, messages=user("hello"), max_tokens=6, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    if not script:
        assert len(content) == answer.usage.completion_tokens
        for token in content:
            assert token.logprob <= 0 and len(token.top_logprobs) == 3
            # A token may hold a part of a character; how many U+FFFD stand for it is nobody's promise.
            whole = bytes(token.bytes).decode("utf-8", "replace")
            assert whole.replace("\ufffd", "") == token.token.replace("\ufffd", "")
        text = oai.completions.create(model=MODEL, prompt=["one", "two"], max_tokens=5, logprobs=2, seed=3)
        assert len(text.choices) == 2 and len(text.choices[1].logprobs.tokens) == 5
        assert [c.text for c in text.choices] == [
            c.text for c in oai.completions.create(model=MODEL, prompt=["one", "two"], max_tokens=5, seed=3).choices]


def openai_schema():
    if script:
        return
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    answer = oai.chat.completions.create(
        model=MODEL, messages=user("a number"), max_tokens=200, reasoning_effort="none",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert isinstance(json.loads(answer.choices[0].message.content)["n"], int)


def openai_errors():
    ask = lambda **more: oai.chat.completions.create(**{"model": MODEL, "messages": user("hello"), "max_tokens": 4, **more})
    error = refused(openai.BadRequestError, lambda: ask(n=2))
    assert error.param == "n" and error.type == "invalid_request_error"
    assert refused(openai.BadRequestError, lambda: ask(extra_body={"best": 1})).param == "best"
    assert refused(openai.NotFoundError, lambda: ask(model="other")).code == "model_not_found"
    refused(openai.AuthenticationError, lambda: oai.with_options(api_key="wrong").models.list())
    refused(openai.NotFoundError, lambda: oai.embeddings.create(model=MODEL, input="x"))
    ask(user="me", metadata={"a": "b"}, store=True)
    long = "too much" if script else "word " * 200_000
    for stream in (False, True):
        error = refused(openai.BadRequestError, lambda: ask(messages=user(long), stream=stream))
        assert error.code == "context_length_exceeded"
    if script:
        refused(openai.RateLimitError, lambda: ask(messages=user("too busy")))


def anthropic_chat():
    answer = ant.messages.create(model=MODEL, system="be kind", messages=user("hello"), max_tokens=12)
    assert answer.role == "assistant" and answer.stop_reason in ("end_turn", "max_tokens")
    assert answer.usage.input_tokens + answer.usage.cache_read_input_tokens > 0
    if script:
        assert answer.content[0].text == "Good day, said the model."
    assert MODEL in [m.id for m in ant.models.list()]
    with ant.messages.stream(model=MODEL, messages=user("hello"), max_tokens=12) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop", kinds
    assert final.usage.output_tokens > 0 and final.stop_reason
    if script:
        assert final.content[0].text == "Good day, said the model."


def anthropic_tools():
    tools = [{"name": "add", "description": "adds", "input_schema": TOOL}]
    ask = dict(model=MODEL, tools=tools, max_tokens=300)
    first = ant.messages.create(messages=user("add them"), tool_choice={"type": "any"}, **ask)
    assert first.stop_reason == "tool_use", first
    uses = [b for b in first.content if b.type == "tool_use"]
    assert all(u.name == "add" and {"a", "b"} <= set(u.input) for u in uses)
    if script:
        assert [b.type for b in first.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert uses[1].input == {"a": 3, "b": 4}
    results = [{"type": "tool_result", "tool_use_id": u.id, "content": "3"} for u in uses]
    ant.messages.create(messages=user("add them") + [{"role": "assistant", "content": first.content},
                                                     {"role": "user", "content": results}],
                        tool_choice={"type": "none"}, **ask)
    with ant.messages.stream(messages=user("again: add them"), tool_choice={"type": "tool", "name": "add"},
                             thinking={"type": "enabled", "budget_tokens": 1024}, **{**ask, "max_tokens": 2000}) as stream:
        final = stream.get_final_message()
    assert "add" in [b.name for b in final.content if b.type == "tool_use"] or script


def anthropic_images():
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
    call = lambda s: ant.messages.create(model=MODEL, max_tokens=4, messages=[
        {"role": "user", "content": [{"type": "image", "source": s}, {"type": "text", "text": "look"}]}])
    refused(anthropic.BadRequestError, lambda: call({"type": "url", "url": "https://example.org/x.png"}), "fetches nothing")
    try:
        assert call(source).stop_reason
    except anthropic.BadRequestError as e:
        assert not script and "image" in str(e)


def anthropic_errors():
    ask = lambda **more: ant.messages.create(**{"model": MODEL, "messages": user("hello"), "max_tokens": 4, **more})
    refused(anthropic.NotFoundError, lambda: ask(model="other"), "not_found_error")
    refused(anthropic.BadRequestError, lambda: ask(extra_body={"temperature": 2}), "temperature")
    refused(anthropic.BadRequestError, lambda: ask(extra_body={"best": 1}), "best")
    refused(anthropic.AuthenticationError, lambda: ant.with_options(api_key="wrong").messages.create(
        model=MODEL, messages=user("hello"), max_tokens=4), "authentication_error")
    refused(anthropic.NotFoundError, lambda: ant.messages.count_tokens(model=MODEL, messages=user("x")))
    long = "too much" if script else "word " * 200_000
    refused(anthropic.BadRequestError, lambda: ask(messages=user(long)), "prompt is too long")
    if script:
        refused(anthropic.APIStatusError, lambda: ask(messages=user("too busy")), "overloaded_error")


for check in (openai_chat, openai_stream, openai_tools, openai_images, openai_logprobs, openai_schema, openai_errors,
              anthropic_chat, anthropic_tools, anthropic_images, anthropic_errors):
    check()
    print("ok", check.__name__, flush=True)
