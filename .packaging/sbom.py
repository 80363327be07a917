"""Prints a CycloneDX 1.5 bill of materials, in JSON, of the distributions that lie in a directory.

    python3 .packaging/sbom.py DIRECTORY [LOCK]

It reads their installed metadata alone; LOCK gives the hashes of the wheels that they came from. SOURCE_DATE_EPOCH is
its time, so the same input gives the same bytes.
"""

import json
import os
import re
import sys
import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = "helpdesk-listen"
NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562, of URLs
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LOCKED = re.compile(r"^(\S+)==\S+ --hash=sha256:([0-9a-f]{64})$", re.MULTILINE)


def bill(directory: Path, hashes: dict[str, str]) -> dict[str, Any]:
    """The document; components by name."""
    found = {normal(one.name): one for one in distributions(path=[str(directory)])}
    parts = {name: component(name, one, hashes) for name, one in sorted(found.items())}
    main = parts.pop(ROOT)
    dependencies = [{"ref": purl(one), "dependsOn": needed(one, found)} for _, one in sorted(found.items())]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"timestamp": timestamp(), "component": main | {"type": "application"}},
        "components": list(parts.values()),
        "dependencies": dependencies,
    }
    return document | {"serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps(document, sort_keys=True))}"}


def component(name: str, one: Distribution, hashes: dict[str, str]) -> dict[str, Any]:
    """One distribution, with its licence as it states it itself."""
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl(one),
        "name": name,
        "version": one.version,
        "purl": purl(one),
    }
    if summary := field(one, "Summary"):
        made["description"] = summary
    if name in hashes:
        made["hashes"] = [{"alg": "SHA-256", "content": hashes[name]}]
    return made | ({"licenses": told} if (told := licences(one)) else {})


def licences(one: Distribution) -> list[dict[str, Any]]:
    """The SPDX expression where there is one, else the classifiers, else a short `License` field."""
    if expression := field(one, "License-Expression"):
        return [{"expression": expression}]
    classified = [each for each in one.metadata.get_all("Classifier") or [] if each.startswith("License :: ")]
    names = sorted({each.rpartition(" :: ")[2] for each in classified} - {"OSI Approved"})
    text = field(one, "License").strip()
    if not names and text and "\n" not in text and len(text) < 80:
        names = [text]
    return [{"license": {"name": name}} for name in names]


def field(one: Distribution, name: str) -> str:
    """A field of the metadata; "" where it has none."""
    return next(iter(one.metadata.get_all(name) or []), "")


def needed(one: Distribution, found: dict[str, Distribution]) -> list[str]:
    """What it requires and is here; what only an extra or another Python asks for may not be."""
    names = {normal(match[0]) for each in one.requires or [] if (match := _REQUIREMENT.match(each))}
    return sorted(purl(found[name]) for name in names & found.keys() - {normal(one.name)})


def purl(one: Distribution) -> str:
    """The package's URL, as the package index would have it."""
    return f"pkg:pypi/{normal(one.name)}@{one.version}"


def normal(name: str) -> str:
    """A name in the index's own spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()


def timestamp() -> str:
    """When the source was committed, in RFC 3339."""
    return datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main(directory: str, lock: str = "") -> None:
    """Prints the bill."""
    text = Path(lock).read_text(encoding="utf-8") if lock else ""
    hashes = {normal(name): digest for name, digest in _LOCKED.findall(text)}
    print(json.dumps(bill(Path(directory), hashes), ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
