"""`plain_text`: what people read, whichever of the platform's shapes a message came in."""

import json
import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.event import FORMATS
from listener.event.plain_text import plain_text
from tests.samples import encode, example, received

POST = {
    "title": "VPN",
    "content": [
        [{"tag": "text", "text": "请看 "}, {"tag": "a", "text": "文档", "href": "https://docs.example/vpn"}],
        [{"tag": "at", "user_id": "ou_1", "user_name": "小王"}, {"tag": "img", "image_key": "img_1"}],
    ],
}
READ = "VPN\n请看 文档 (https://docs.example/vpn)\n@小王[image]"
SHAPES: dict[str, tuple[dict[str, Any], str | None]] = {
    "a text": ({"text": "请问", "msg_type": "text"}, "请问"),
    "JSON in the text": ({"text": '{"content": "请问"}', "msg_type": "text"}, "请问"),
    "JSON in the content": ({"content": '{"content": "请问", "msg_type": "text"}'}, "请问"),
    "the document's content": ({"content": {"content": "请问", "msg_type": "text"}}, "请问"),
    "rich text": ({"msg_type": "post", "content": POST}, READ),
    "rich text in a string": ({"msg_type": "post", "content": {"content": json.dumps(POST)}}, READ),
    "rich text by language": ({"msg_type": "post", "content": {"post": {"zh_cn": POST}}}, READ),
    "an image": ({"msg_type": "image", "text": "", "content": {"image_key": "img_1"}}, "[image]"),
    "two images": ({"msg_type": "image", "content": '{"image_keys": ["a", "b"]}'}, "[image] [image]"),
    "a post's images beside its text": (
        {"msg_type": "post", "text": "看图", "content": {"msg_type": "post", "image_keys": ["a"]}},
        "看图 [image]",
    ),
    "a file": ({"msg_type": "file", "content": '{"file_key": "f"}'}, "[file]"),
    "an object message": ({"message": {"message_type": "text", "content": '{"text": "请问"}'}}, "请问"),
    "a body of the message": ({"message": {"msg_type": "text", "body": {"content": '{"text":"hi"}'}}}, "hi"),
    "words that begin with a bracket": ({"text": "[以上都不是] {x", "msg_type": "text"}, "[以上都不是] {x"),
    "JSON that is no message": ({"text": '{"a": 1}', "msg_type": "text"}, '{"a": 1}'),
    "an empty text": ({"text": "", "msg_type": "text"}, ""),
    "no text at all": ({"ticket": {}}, None),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_reads_every_shape(shape: str) -> None:
    event, expected = SHAPES[shape]
    assert expected == plain_text(event)


def test_stands_at_the_top_of_the_record_and_nowhere_else() -> None:
    event = received(encode(example(msg_type="post", text="", content=POST)))
    assert READ == json.loads(FORMATS["record"](event))["plain_text"]
    assert b"plain_text" not in FORMATS["raw"](event) + FORMATS["cloudevents"](event)


def test_a_field_of_that_name_that_the_platform_sends_is_kept() -> None:
    payload = example() | {"plain_text": "theirs"}
    record = json.loads(FORMATS["record"](received(encode(payload))))
    assert ("请问vpn怎么下载", "theirs") == (record["plain_text"], record["extra"]["plain_text"])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just('{"content":'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "content", "tag", "post", "title", "image_keys", "href"]), inner)
    ),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_never_raises(text: object, content: object, message: object) -> None:
    words = plain_text({"text": text, "content": content, "msg_type": text, "message": message})
    assert words is None or type(words) is str


def test_deep_nesting_and_json_in_json_end() -> None:
    nested: object = "x"
    for _ in range(90):
        nested = {"content": [nested]}
    packed = "x"
    for _ in range(9):
        packed = json.dumps({"content": packed})
    assert "" == plain_text({"content": nested, "text": ""})
    assert "x" == plain_text({"content": packed})
    assert "[" * 100_000 == plain_text({"text": "[" * 100_000})


def test_a_simple_text_costs_next_to_nothing() -> None:
    event = example()["event"]
    assert min(timeit.repeat(lambda: plain_text(event), number=1000, repeat=20)) < 1000 * 2e-6  # 2 µs: 0.2 here
