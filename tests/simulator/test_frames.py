"""The hand-written codec, held against protobuf's own with a descriptor built from the platform's table."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.simulator.frames import DATA, Frame, decode, encode, varint

U64 = st.integers(0, (1 << 64) - 1)
I32 = st.integers(-(1 << 31), (1 << 31) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FRAMES = st.builds(
    Frame,
    seq_id=U64,
    log_id=U64,
    service=I32,
    method=I32,
    headers=st.lists(st.tuples(TEXT, TEXT), max_size=5),
    payload_encoding=TEXT,
    payload_type=TEXT,
    payload=st.binary(max_size=300),
    log_id_new=TEXT,
)


def _message_class() -> Any:
    proto = descriptor_pb2.FileDescriptorProto(name="stand_in_test.proto", package="t", syntax="proto2")
    kind, label = descriptor_pb2.FieldDescriptorProto.Type, descriptor_pb2.FieldDescriptorProto.Label
    header = proto.message_type.add(name="Header")
    for number, name in enumerate(("key", "value"), 1):
        header.field.add(name=name, number=number, type=kind.TYPE_STRING, label=label.LABEL_REQUIRED)
    frame = proto.message_type.add(name="Frame")
    table = [
        ("SeqID", kind.TYPE_UINT64, label.LABEL_REQUIRED),
        ("LogID", kind.TYPE_UINT64, label.LABEL_REQUIRED),
        ("service", kind.TYPE_INT32, label.LABEL_REQUIRED),
        ("method", kind.TYPE_INT32, label.LABEL_REQUIRED),
        ("headers", kind.TYPE_MESSAGE, label.LABEL_REPEATED),
        ("payload_encoding", kind.TYPE_STRING, label.LABEL_OPTIONAL),
        ("payload_type", kind.TYPE_STRING, label.LABEL_OPTIONAL),
        ("payload", kind.TYPE_BYTES, label.LABEL_OPTIONAL),
        ("LogIDNew", kind.TYPE_STRING, label.LABEL_OPTIONAL),
    ]
    for number, (name, type_, label_) in enumerate(table, 1):
        type_name = ".t.Header" if type_ == kind.TYPE_MESSAGE else None
        frame.field.add(name=name, number=number, type=type_, label=label_, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Frame"))


ProtobufFrame = _message_class()


def _as_protobuf(frame: Frame) -> Any:
    message = ProtobufFrame(SeqID=frame.seq_id, LogID=frame.log_id, service=frame.service, method=frame.method)
    for key, value in frame.headers:
        message.headers.add(key=key, value=value)
    optional: dict[str, str | bytes] = {
        "payload_encoding": frame.payload_encoding,
        "payload_type": frame.payload_type,
        "payload": frame.payload,
        "LogIDNew": frame.log_id_new,
    }
    for name, content in optional.items():
        if content:
            setattr(message, name, content)
    return message


@given(FRAMES)
def test_writes_what_protobuf_writes(frame: Frame) -> None:
    assert _as_protobuf(frame).SerializeToString() == encode(frame)


@given(FRAMES)
def test_reads_what_protobuf_writes(frame: Frame) -> None:
    assert frame == decode(_as_protobuf(frame).SerializeToString())


def test_the_required_fields_are_written_even_when_zero() -> None:
    assert encode(Frame()) == b"\x08\x00\x10\x00\x18\x00\x20\x00"


def test_unknown_fields_are_skipped() -> None:
    unknown = b"\x78\x05" + b"\x82\x01\x02hi" + b"\x89\x01" + bytes(8) + b"\x95\x01" + bytes(4)
    assert Frame(seq_id=7, payload=b"x") == decode(unknown + encode(Frame(seq_id=7, payload=b"x")))


@given(FRAMES, st.data())
def test_a_torn_frame_is_an_error_or_lacks_what_was_torn_off(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame)
    torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        assert len(encode(decode(torn))) < len(whole)
    except ValueError:
        assert torn != whole


@given(st.binary(max_size=100))
@settings(max_examples=300)
def test_random_bytes_are_a_frame_or_a_value_error(data: bytes) -> None:
    try:
        frame = decode(data)
    except ValueError:
        return
    assert frame == decode(encode(frame))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08\x00\x10\x00\x18\x00",  # no method
        b"\x0a\x01x" + encode(Frame()),  # SeqID as bytes
        b"\x28\x01" + encode(Frame()),  # headers as a number
        b"\x2a\x03\x0a\x01k" + encode(Frame()),  # a header without a value
        b"\x32\x01\xff" + encode(Frame()),  # payload_encoding is not UTF-8
        b"\x0b" + encode(Frame()),  # a group
        b"\x08" + b"\xff" * 11,  # a varint without end
    ],
)
def test_malformed_frames_are_value_errors(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(data)


def test_header_finds_the_first_of_a_key() -> None:
    frame = Frame(method=DATA, headers=[("type", "event"), ("type", "card")])
    assert (frame.header("type"), frame.header("seq")) == ("event", None)


@pytest.mark.parametrize(
    ("value", "written"), [(0, b"\x00"), (127, b"\x7f"), (300, b"\xac\x02"), (-1, b"\xff" * 9 + b"\x01")]
)
def test_varint(value: int, written: bytes) -> None:
    assert written == varint(value)
