"""What all tests share: two threads, no model hub, and a word about browsers."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest  # noqa: E402

from minillama.build.check_decks import find_browser  # noqa: E402


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip browser tests where there is none, unless the machine promised one."""
    if item.get_closest_marker("browser") is None or find_browser() is not None:
        return
    missing = "no Chromium, Chrome or Edge found (MINILLAMA_CHROMIUM names one)"
    if os.environ.get("MINILLAMA_REQUIRE_BROWSER"):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
