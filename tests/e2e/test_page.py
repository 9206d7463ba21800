"""What is served at /: the dashboard as a browser may keep and run it (its pages: tests/web)."""
import gzip
import re

GZIP = {"Accept-Encoding": "gzip"}


def test_the_page_may_run_the_servers_own_scripts_only(cloud):
    status, headers, page = cloud.http("GET", "/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "script-src 'self'" in policy
    assert re.search(rb"(src|href)=\"(https?:)?//", page) is None
    assert re.search(rb"<script(?![^>]*src=)|style=|onclick=", page) is None


def test_the_page_is_the_same_whatever_its_address_carries_along(cloud):
    plain = cloud.http("GET", "/")
    for query in ("/?x=0", "/?utm_source=mail&x", "/?"):
        status, _, page = cloud.http("GET", query)
        assert status == 200 and page == plain[2]
    assert cloud.http("GET", "/v1/jobs?x=0")[0] == 400


def test_what_the_page_names_is_served_and_kept(cloud):
    page = cloud.http("GET", "/")[2].decode()
    for path in re.findall(r'"(/assets/[^"]+)"', page):
        status, headers, packed = cloud.http("GET", path, headers=GZIP)
        assert status == 200 and headers["Content-Encoding"] == "gzip"
        assert "immutable" in headers["Cache-Control"]
        plain = cloud.http("GET", path, headers={})[2]
        assert gzip.decompress(packed) == plain
        again = {**GZIP, "If-None-Match": headers["ETag"]}
        assert cloud.http("GET", path, headers=again)[::2] == (304, b"")


def test_the_first_page_is_small(cloud):
    page = cloud.http("GET", "/")[2].decode()
    paths = re.findall(r'"(/assets/[^"]+\.js)"', page)
    sizes = [len(cloud.http("GET", path, headers=GZIP)[2]) for path in paths]
    assert paths and sum(sizes) < 300_000


def test_a_file_of_another_version_is_404(cloud):
    assert cloud.http("GET", "/assets/index-old.js")[0] == 404
    assert cloud.http("GET", "/assets/..%2Findex.html")[0] == 404
