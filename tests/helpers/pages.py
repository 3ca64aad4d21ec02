"""What the tests of the report's page share."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from html import unescape

CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), ""
)
# What Chromium says of how fast plotly's WebGL can be, on a machine without a GPU.
OF_CHROMIUM = ("willReadFrequently", "GL Driver Message")


def source(script):
    """What a Content-Security-Policy lets this very script run by (CSP 3, section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def driven(page, script, folder, address, *options):
    """What ``script`` leaves as JSON in an element "result" of the page, opened in Chromium.

    The script is let in by its hash, so the page's policy holds while it is looked at. Nothing may
    be said on the console, but for advice about speed.
    """
    page = page.replace("script-src ", f"script-src {source(script)} ")
    path = folder / "a.html"
    path.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    ran = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-dev-shm-usage", *options),
            *("--enable-logging=stderr", "--virtual-time-budget=5000", "--window-size=1200,900"),
            *("--host-resolver-rules=MAP * 127.0.0.1:1", f"--user-data-dir={folder / 'profile'}"),
            *("--dump-dom", f"{path.as_uri()}#{address}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    assert not [line for line in said if not any(each in line for each in OF_CHROMIUM)], said
    return json.loads(unescape(re.search(r'<pre id="result">(.*?)</pre>', ran.stdout, re.S)[1]))
