"""Files that a job leaves to be kept: `artifacts` in its spec, `gyre artifacts`, REST."""
import json
import os

import pytest

MAKE = ("mkdir -p out/deep && printf one > out/a && printf two > out/deep/b && "
        "head -c 3000000 /dev/zero | tr '\\0' x > model.pt && echo other > other")


def leave(cloud, command, artifacts, **spec):
    spec = json.dumps({"command": command, "artifacts": artifacts, **spec})
    job = cloud.cli("submit", "-", stdin=spec).stdout.strip()
    return job, cloud.wait(job)


def listed(cloud, job, *options):
    return cloud.json("artifacts", "ls", job, *options)


def test_what_is_named_is_kept_and_fetched(cloud):
    job, ended = leave(cloud, MAKE, ["out/", "model.pt"])
    assert ended["state"] == "succeeded", ended
    kept = listed(cloud, job)
    assert {file["path"]: file["size"] for file in kept["files"]} == {
        "model.pt": 3_000_000, "out/a": 3, "out/deep/b": 3}
    assert kept["left_out"] == [] and kept["attempt"] == 1
    assert "model.pt" in cloud.cli("artifacts", "ls", job).stdout
    cloud.cli("artifacts", "get", job, "--to", "all")
    assert (cloud.folder / "all/model.pt").read_bytes() == b"x" * 3_000_000
    assert (cloud.folder / "all/out/deep/b").read_text() == "two"
    cloud.cli("artifacts", "get", job, "out", "--to", "part")
    assert sorted(os.listdir(cloud.folder / "part")) == ["out"]
    assert "has kept no 'nothing'" in cloud.cli("artifacts", "get", job, "nothing", code=1).stderr


def test_the_whole_folder_may_be_named(cloud):
    job, _ = leave(cloud, "echo 1 > a; mkdir b; echo 2 > b/c", ["."])
    assert [file["path"] for file in listed(cloud, job)["files"]] == ["a", "b/c"]


def test_a_failed_job_leaves_its_files_too_and_each_attempt_its_own(cloud):
    job, ended = leave(cloud, "echo $GYRE_ATTEMPT > a; exit 3", ["a"],
                       retry={"on": ["error"], "max": 1, "backoff": "0s..0s"})
    assert ended["exit_code"] == 3 and ended["attempt"] == 2
    for options, text in (((), b"2\n"), (("--attempt", "1"), b"1\n")):
        kept = listed(cloud, job, *options)
        path = f"/v1/jobs/{job}/artifacts/content?path=a&attempt={kept['attempt']}"
        assert cloud.http("GET", path)[2] == text


def test_what_is_no_file_is_left_out_and_said(cloud):
    secret = cloud.folder / "secret"
    secret.write_text("not yours")
    job, ended = leave(cloud, f"mkdir out && cd out && ln -s {secret} link && mkfifo pipe && "
                       "ln -s / all && printf ok > fine && printf x > \"$(printf 'a\\nb')\" && "
                       "cd .. && ln -s out way", ["out", "way/fine", "none", "out/link"])
    assert ended["state"] == "succeeded"
    kept = listed(cloud, job)
    assert [file["path"] for file in kept["files"]] == ["out/fine"]
    left = {one["path"]: one["why"] for one in kept["left_out"]}
    assert left["out/link"] == left["out/all"] == "it is a symbolic link"
    assert "a device, a socket or a pipe" in left["out/pipe"]
    assert left["way/fine"] == "a symbolic link is on the way to it"
    assert left["none"] == "there was no such file"
    assert "no plain text" in left["out/a?b"]
    assert "not kept: none" in cloud.cli("artifacts", "ls", job).stderr


def test_size_and_number_have_limits(cloud):
    job, ended = leave(cloud, "truncate -s 5G huge; mkdir many; cd many; seq 2100 | xargs touch",
                       ["huge", "many"])
    assert ended["state"] == "succeeded"
    kept = listed(cloud, job)
    assert len(kept["files"]) == 2000
    assert "more than 4096 MiB" in kept["left_out"][0]["why"]
    assert "2000 files are kept already" in kept["left_out"][1]["why"]


@pytest.mark.parametrize("path, why", [
    ("../x", "no '..'"), ("a/../../x", "no '..'"), ("/etc/passwd", "outside of the task's working"),
    ("", "is no path"), ("a//b", "no empty part"), ("x" * 513, "up to 512 bytes"),
])
def test_paths_that_lead_elsewhere_are_refused(cloud, path, why):
    spec = json.dumps({"command": "true", "artifacts": [path]})
    assert why in cloud.cli("submit", "-", stdin=spec, code=2).stderr
    status, _, problem = cloud.http("GET", f"/v1/jobs/1/artifacts/content?path=../{path}")
    assert status == 400 and problem["errors"][0]["pointer"] == "query:path"


def test_parts_of_a_file_are_given(cloud):
    job, _ = leave(cloud, "printf 0123456789 > a", ["a"])
    path = f"/v1/jobs/{job}/artifacts/content?path=a"

    def part(range_, **more):
        headers = {"Range": range_, **more} if range_ else more
        return cloud.http("GET", path, headers=headers)

    status, headers, whole = part("")
    assert (status, whole, headers["Content-Length"]) == (200, b"0123456789", "10")
    assert headers["Content-Disposition"] == "attachment"
    assert headers["Content-Type"] == "application/octet-stream"
    status, headers, some = part("bytes=2-4")
    assert (status, some, headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert part("bytes=-3")[2] == b"789"
    assert part("bytes=7-", **{"If-Range": headers["ETag"]})[2] == b"789"
    assert part("bytes=7-", **{"If-Range": '"other"'})[0] == 200
    status, headers, _ = part("bytes=10-")
    assert status == 416 and headers["Content-Range"] == "bytes */10"
    assert cloud.http("HEAD", path)[1]["Content-Length"] == "10"
    assert cloud.http("GET", f"/v1/jobs/{job}/artifacts/content?path=b")[0] == 404
    assert cloud.http("GET", f"/v1/jobs/{job}/artifacts?rank=x")[0] == 400


def test_what_broke_off_is_gone_on_with(cloud):
    job, _ = leave(cloud, "head -c 20000000 /dev/urandom > big; md5sum big", ["big"])
    cloud.cli("artifacts", "get", job, "--to", "one")
    whole = (cloud.folder / "one/big").read_bytes()
    (cloud.folder / "two").mkdir()
    (cloud.folder / f"two/.big.{job}.1.0.part").write_bytes(b"@" * 5_000_000)
    cloud.cli("artifacts", "get", job, "--to", "two")
    assert (cloud.folder / "two/big").read_bytes() == b"@" * 5_000_000 + whole[5_000_000:]
    assert os.listdir(cloud.folder / "two") == ["big"]


def test_who_kept_nothing_says_so(cloud):
    job = cloud.run("--", "true")
    cloud.wait(job)
    said = cloud.cli("artifacts", "ls", job, code=1).stderr
    assert f"job {job} has no artifacts of task 0" in said
    assert cloud.http("GET", "/v1/jobs/77/artifacts")[0] == 404


def test_they_go_with_the_tasks_folder_and_outlive_the_server(cloud):
    job, _ = leave(cloud, "echo kept > a", ["a"])
    cloud.end()
    cloud.up()
    cloud.cli("artifacts", "get", job)
    assert (cloud.folder / "a").read_text() == "kept\n"
    assert (cloud.state / "tasks" / f"{job}.1.0" / "artifacts" / "a").exists()
