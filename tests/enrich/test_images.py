"""`[enrich] attachments`: the images of messages, whatever a guest sends."""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest

from listener.base.errors import ListenError
from listener.enrich.images import Folder
from listener.feishu.http_api import IMAGES_PATH
from listener.simulator import PlatformThread, faults
from listener.simulator.desk import PNG
from tests.daemon import Daemon
from tests.enrich.helping import IMAGES, config, lines, picture


def of(tmp_path: Path, stand_in: PlatformThread, *events: dict[str, Any], more: str = "") -> list[Any]:
    """The `attachments` of each record."""
    with Daemon(tmp_path, domain=stand_in.url, config=config(IMAGES, 'wait = "20s"', more)) as daemon:
        daemon.ready()
        for event in events:
            stand_in.call(stand_in.platform.push, event)
        daemon.until(lambda: len(lines(tmp_path)) == len(events), "all records", 60)
        assert 0 == daemon.stop()
    return [record["attachments"] for record in lines(tmp_path)]


def test_an_image_is_a_file_named_by_its_content(tmp_path: Path, stand_in: PlatformThread) -> None:
    digest = hashlib.sha256(PNG).hexdigest()
    stand_in.platform.api.desk.images |= {("7000001", "1001", 0): PNG, ("7000001", "1001", 1): b"\xff\xd8\xff jpeg"}
    ((first, second),) = of(tmp_path, stand_in, picture(1, images=2))
    assert {
        "index": 0,
        "file": str(tmp_path / "logs" / "images" / f"{digest}.png"),
        "type": "image/png",
        "size": len(PNG),
        "sha256": digest,
    } == first
    assert "image/jpeg" == second["type"]
    file = Path(first["file"])
    assert (PNG, 0o640) == (file.read_bytes(), file.stat().st_mode & 0o777)


def test_what_is_wrong_is_said_and_leaves_no_file(tmp_path: Path, stand_in: PlatformThread) -> None:
    stand_in.platform.api.desk.images |= {
        ("7000001", "1001", 0): b"#!/bin/sh\necho hello\n",
        ("7000001", "1002", 0): None,
        ("7000001", "1003", 0): PNG + b"x" * 5000,
        ("7000001", "1005", 0): PNG + b"x" * 100_000_000,
    }
    found = of(tmp_path, stand_in, *(picture(number) for number in range(1, 6)), more='attachment_max_size = "1KiB"')
    errors = [one[0]["error"] for one in found]
    code = "the platform answered code"
    starts = ["not an image", f"{code} 154404", "larger than", f"{code} 154004"]
    assert starts == [error[: len(start)] for error, start in zip(errors, starts, strict=False)]
    assert "longer than" in errors[4]
    assert not (tmp_path / "logs" / "images").exists()


def test_one_that_drips_is_not_waited_for(tmp_path: Path, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.api[IMAGES_PATH] = [faults.Reply(200, PNG + b"x" * 1000, drip=0.2)]
    stand_in.platform.api.desk.images |= {("7000001", "1001", 0): PNG, ("7000001", "1002", 0): PNG}
    found = of(tmp_path, stand_in, picture(1), picture(2))
    (good,) = [image for (image,) in found if "type" in image]
    (bad,) = [image for (image,) in found if "error" in image]
    assert ("image/png", True) == (good["type"], "no answer in time" in bad["error"])


def test_an_id_that_is_a_path_is_no_path(tmp_path: Path, stand_in: PlatformThread) -> None:
    event = picture(1, ticket="../../etc")
    event["event"]["ticket_message_id"] = "../../../tmp/x"
    event["event"]["content"]["image_key"] = "../key"
    ((image,),) = of(tmp_path, stand_in, event)
    assert "error" in image
    assert ["plain.jsonl", "tickets.jsonl"] == sorted(
        name for name in os.listdir(tmp_path / "logs") if name.endswith("jsonl")
    )


def test_the_folder_has_an_end(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "images", 1000, 1500)
    one = folder.keep(PNG + b"1" * 900)
    assert one == folder.keep(PNG + b"1" * 900)
    with pytest.raises(ListenError, match="attachments_max_size"):
        folder.keep(PNG + b"2" * 900)
    (tmp_path / "images" / ".part-of-a-crash").write_bytes(b"half")
    again = Folder(tmp_path / "images", 1000, 1500)
    with pytest.raises(ListenError, match="attachments_max_size"):
        again.keep(PNG + b"3" * 900)
    assert [Path(one.file).name] == os.listdir(tmp_path / "images")


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    digest = hashlib.sha256(PNG).hexdigest()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / f"{digest}.png").symlink_to(victim)
    Folder(tmp_path / "images", 1000, 1500).keep(PNG)
    assert "mine" == victim.read_text()


def test_a_folder_whose_name_is_no_utf_8_is_fit_for_a_record(tmp_path: Path) -> None:
    image = Folder(tmp_path / os.fsdecode(b"\xff"), 1000, 1500).keep(PNG)
    assert f"{tmp_path}/?/{image.sha256}.png" == msgspec.json.decode(msgspec.json.encode(asdict(image)))["file"]
