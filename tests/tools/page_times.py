"""How long pages take to be read, beside their parse alone: ``python tests/tools/page_times.py``.

The time must grow with a page's size and no faster; the last two are of 5 MB and of 100,000 tags.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from selectolax.lexbor import LexborHTMLParser

from fin_messenger_auth.diagnosis._page_reader import read_page

SCRIPT = "<script>window.intercomSettings = {app_id: 'a', user_id: document.querySelector('#last').dataset.id}</script>"
SIZES = (1, 2, 5)


def seconds(run: Callable[[str], object], page: str) -> float:
    """The least of three times."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run(page)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    last = f"<i id=last data-id=42></i>{SCRIPT}"
    pages = {
        **{f"{size} MB of text": f"<p>{'x' * size * 1_000_000}</p>{last}" for size in SIZES},
        **{f"{size} MB of script": f"{last}<script>// {'x' * size * 1_000_000}</script>" for size in SIZES},
        **{f"{size * 20_000:,} tags": f"{'<p class=a id=b>x</p>' * (size * 20_000)}{last}" for size in SIZES},
    }
    print(f"{'page':18}{'parse':>9}{'read':>9}{'more':>9}")
    for name, page in pages.items():
        assert read_page(page).values == {"app_id": "a", "user_id": "42"}, name
        parsed, read = seconds(LexborHTMLParser, page), seconds(read_page, page)
        print(f"{name:18}{parsed:8.2f}s{read:8.2f}s{read - parsed:8.2f}s")


if __name__ == "__main__":
    main()
