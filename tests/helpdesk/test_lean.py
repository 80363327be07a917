"""The SDK's API client costs what it needs, not the 60 API packages beside it."""

import json
import subprocess
import sys

SCRIPT = """
import json, resource, sys
from contextlib import suppress
from listener.settings.config import load
from listener.base.errors import Unreachable
from listener.feishu.http_api import Api, Helpdesk
from listener.feishu.transport import Network

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = memory()
env = {"FEISHU_APP_ID": "a", "FEISHU_APP_SECRET": "hush-hush", "FEISHU_DOMAIN": "http://127.0.0.1:9"}
api = Api(load(None, env).feishu, Network())
with suppress(Unreachable):
    api.online_clients()
with suppress(Unreachable):
    api.subscribe(Helpdesk("1", "t"), ["helpdesk.ticket.created_v1"])
left = [name for name in sys.modules if name.startswith("lark_oapi")]
print(json.dumps({"kib": memory() - before, "left": left, "modules": len(sys.modules)}))
"""


def test_the_api_client_is_lean_and_leaves_no_trace() -> None:
    """`import lark_oapi` would cost 130 MB and 11,000 modules."""
    out = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60).stdout
    found = json.loads(out)
    assert [] == found["left"]
    assert found["kib"] < 30 * 1024
    assert found["modules"] < 1000
