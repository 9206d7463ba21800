"""The page at /: a browser shows something true."""
import re
import shutil
import subprocess

import pytest

from cloud import PATIENCE_S

QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture
def chromium(tmp_path):
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")

    def browse(url, *options):
        profile = f"--user-data-dir={tmp_path / 'browser'}"
        return subprocess.run([path, *QUIET, profile, *options, url],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout

    return browse


def test_the_page_may_run_its_own_script_only(cloud):
    status, headers, page = cloud.http("GET", "/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
    assert re.search(rb"(src|href)=\"(https?:)?//", page) is None


def test_a_browser_shows_jobs_reasons_and_nodes(cloud, chromium):
    cloud.wait(cloud.run("--gpu", "4", "--name", "a-running-job", "--", "sleep", "1000"), "running")
    cloud.run("--gpu", "1", "--name", "a-waiting-job", "--", "true")
    url = f"http://127.0.0.1:{cloud.port}/"
    page = chromium(url, "--timeout=3000", "--dump-dom")
    assert "a-running-job" in page and "a-waiting-job" in page
    assert "waiting for turn" in page
    assert "virtual GPUs" in page
    picture = cloud.folder / "page.png"
    chromium(url, "--timeout=3000", f"--screenshot={picture}", "--window-size=1200,900")
    assert picture.stat().st_size > 10_000
