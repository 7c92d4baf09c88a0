"""Lists pages of the built site that scroll sideways on a phone: ``python tests/tools/phone.py docs/_build/html``."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

WIDTH = 390
# A window of Chromium is never so narrow, but a frame can be.
MEASURE = """<!doctype html><pre>unfinished</pre><script>
(async () => {
  const wide = {};
  for (const page of PAGES) {
    const frame = document.createElement("iframe");
    Object.assign(frame, {src: page, width: WIDTH, height: 800});
    const loaded = new Promise((resolve) => { frame.onload = resolve; });
    document.body.append(frame);
    await loaded;
    const {scrollWidth} = frame.contentDocument.documentElement;
    const boxes = [...frame.contentDocument.querySelectorAll("article .table-wrapper, article table")];
    const widest = Math.max(scrollWidth, ...boxes.map((box) => WIDTH + box.scrollWidth - box.clientWidth));
    if (widest > WIDTH) wide[page] = widest;
    frame.remove();
  }
  document.querySelector("pre").textContent = JSON.stringify(wide);
})();
</script>"""


def main() -> int:
    site = Path(sys.argv[1]).absolute()
    pages = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    measure = MEASURE.replace("PAGES", json.dumps(pages)).replace("WIDTH", str(WIDTH))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/measure":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(measure.encode())

        def log_message(self, *_: object) -> None:
            pass

    handler: Callable[..., SimpleHTTPRequestHandler] = partial(Handler, directory=str(site))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        command = [
            "chromium",
            "--headless",
            "--no-sandbox",
            f"--user-data-dir={profile}",
            "--dump-dom",
            "--timeout=120000",
        ]
        address = f"http://127.0.0.1:{server.server_port}/measure"
        dumped = subprocess.run(
            [*command, "--virtual-time-budget=600000", address], capture_output=True, text=True, check=True, timeout=300
        ).stdout
    found = re.search(r"<pre>(.*?)</pre>", dumped)
    wide = json.loads(html.unescape(found[1])) if found else {"measure": 0}
    for page, width in wide.items():
        print(f"{page} is {width} px wide where the window is {WIDTH} px.")
    print(f"{len(pages) - len(wide)} of {len(pages)} pages fit a phone.")
    return int(bool(wide))


if __name__ == "__main__":
    sys.exit(main())
