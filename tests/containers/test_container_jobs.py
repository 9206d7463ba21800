"""Jobs in containers, through the built program."""
import json
import os
import signal

import images
from container_jobs import log, submit


def output(cloud, *command, code=0, options=(), image):
    result = cloud.cli("run", "--image", image, *options, "--", *command, code=code)
    return result.stdout


def test_a_command_runs_in_the_image_and_its_code_comes_back(cloud, image):
    assert output(cloud, "sh", "-c", "cat /etc/passwd; exit 7", code=7,
                  image=image).startswith("root:x:0")


def test_the_command_is_not_the_first_process_and_dies_of_sigterm(cloud, image):
    job = submit(cloud, image, ["sleep", "1000"])
    cloud.wait(job, "running")
    cloud.cli("stop", job)
    ended = cloud.wait(job)
    assert (ended["state"], ended["exit"]["code"]) == ("cancelled", signal.SIGTERM), ended


def test_a_container_sees_itself_alone(cloud, image):
    job = submit(cloud, image, "hostname; id -u; ls /proc | grep -c '^[0-9]'; ls /; pwd; "
                 "grep NoNewPrivs /proc/self/status; grep Seccomp: /proc/self/status; "
                 "grep CapEff /proc/self/status")
    assert cloud.wait(job)["state"] == "succeeded"
    lines = log(cloud, job).splitlines()
    assert lines[:2] == ["gyre-task", "0"]
    assert int(lines[2]) <= 6
    assert lines[-1].split()[1].endswith("000000005eb") or int(lines[-1].split()[1], 16) < 1 << 12
    assert "NoNewPrivs:\t1" in lines and "Seccomp:\t2" in lines
    assert "/" in lines


def test_root_in_a_container_is_nobody_on_the_node(cloud, image, tmp_path):
    job = submit(cloud, image, ["sleep", "10077"])
    cloud.wait(job, "running")
    owners = {os.stat(f"/proc/{pid}").st_uid for pid in filter(str.isdigit, os.listdir("/proc"))
              if b"sleep\x0010077" in open(f"/proc/{pid}/cmdline", "rb").read()}
    if "users not mapped" not in cloud.said:
        assert owners and min(owners) >= 1 << 28
    cloud.cli("stop", job)


def test_the_root_is_read_only_unless_asked_for(cloud, image):
    script = "touch /tmp/a && echo tmp; touch /a 2>&1 && echo root"
    job = submit(cloud, image, script)
    assert cloud.wait(job)["state"] == "failed"
    assert "tmp" in log(cloud, job) and "Read-only file system" in log(cloud, job)
    job = submit(cloud, image, script, read_only=False)
    assert cloud.wait(job)["state"] == "succeeded"
    assert log(cloud, job) == "tmp\nroot\n"


def test_the_image_says_command_folder_variables_and_user(cloud, tmp_path):
    layout = images.busybox(tmp_path / "layout", Entrypoint=["/bin/sh", "-c"],
                            Cmd=["echo $WHO; pwd; id -u; id -g; echo $HOME"],
                            Env=["WHO=image"], WorkingDir="/etc", User="worker")
    status, _, answer = cloud.http("POST", "/v1/jobs", {"image": str(layout.folder)})
    assert status == 201
    cloud.wait(answer["id"])
    assert log(cloud, answer["id"]).split() == ["image", "/etc", "1000", "1001", "/home/worker"]


def test_the_job_goes_before_the_image(cloud, tmp_path):
    layout = images.busybox(tmp_path / "layout", Cmd=["false"], Env=["WHO=image"], User="worker")
    job = submit(cloud, str(layout.folder), "echo $WHO; pwd; id -u; id -g", env={"WHO": "job"},
                 working_directory="/bin", user="5:6")
    cloud.wait(job)
    assert log(cloud, job).split() == ["job", "/bin", "5", "6"]


def test_an_archive_and_a_relative_path(cloud, tmp_path):
    images.busybox(tmp_path / "layout").archive(tmp_path / "image.tar")
    (tmp_path / "job.yaml").write_text("image: image.tar\ncommand: [echo, hello]\n")
    job = cloud.cli("submit", "--wait", tmp_path / "job.yaml").stdout.strip()
    assert log(cloud, job) == "hello\n"
    assert output(cloud, "echo", "again", image="./layout") == "again\n"


def test_layers_lie_over_each_other(cloud, tmp_path):
    layout = images.Layout(tmp_path / "layout")
    lower = images.layer(images.member("data", kind=b"5"), images.member("data/a", b"low"),
                         images.member("data/b", b"low"), images.member("old", kind=b"5"),
                         images.member("old/x", b"low"))
    upper = images.layer(images.member("data/.wh.a"), images.member("data/b", b"up"),
                         images.member("old/.wh..wh..opq"), images.member("old/y", b"up"))
    layout.add([images.busybox_layer(), lower, upper])
    assert output(cloud, "sh", "-c", "ls /data /old; cat /data/b", image=str(layout.folder)) == (
        "/data:\nb\n\n/old:\ny\nup")


def test_volumes_are_what_the_operator_allows(server, image, tmp_path):
    (tmp_path / "open" / "in").mkdir(parents=True)
    (tmp_path / "closed").mkdir()
    (tmp_path / "open/link").symlink_to(tmp_path / "closed")
    cloud = server.up("--volume", str(tmp_path / "open"), "--volume", f"{tmp_path}/closed:ro")
    job = submit(cloud, image, "echo hello >/v/file", volumes=[f"{tmp_path}/open/in:/v"])
    assert cloud.wait(job)["state"] == "succeeded", cloud.job(job)
    assert (tmp_path / "open/in/file").read_text() == "hello\n"
    assert (tmp_path / "open/in/file").stat().st_uid == 0
    for volume, why in [("/etc:/v", "is not allowed"), (f"{tmp_path}/closed:/v", "for writing"),
                        (f"{tmp_path}/open/link:/v", "a link on its way leads out"),
                        (f"{tmp_path}/open/none:/v", "No such file")]:
        job = submit(cloud, image, "true", volumes=[volume], retry={"max": 0})
        ended = cloud.wait(job)
        assert ended["state"] == "failed" and why in ended["reason_detail"], ended
    job = submit(cloud, image, "touch /v/x", volumes=[f"{tmp_path}/closed:/v:ro"])
    assert cloud.wait(job)["state"] == "failed"
    assert not list((tmp_path / "closed").iterdir())


def test_a_secret_is_a_file_and_nothing_else(server, image):
    server.up()
    secrets = server.state / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    (secrets / "token").write_text("hush-hush")
    job = submit(server, image, "cat /run/secrets/token; stat -c %a /run/secrets/token",
                 secrets=["token"], user="worker")
    assert server.wait(job)["state"] == "succeeded", server.job(job)
    assert log(server, job) == "hush-hush400\n"
    assert "hush-hush" not in json.dumps(server.job(job))
    for path in server.state.rglob("*"):
        if path.is_file() and path.name not in ("stdout.log", "token"):
            assert b"hush-hush" not in path.read_bytes(), path
    job = submit(server, image, "true", secrets=["none"], retry={"max": 0})
    assert "there is no secret 'none'" in server.wait(job)["reason_detail"]


def test_no_network_but_loopback(cloud, image):
    job = submit(cloud, image, "ip link | grep -c mtu; ip addr show lo", network="none")
    cloud.wait(job)
    assert log(cloud, job).startswith("1\n")
    assert "127.0.0.1" in log(cloud, job)


def test_devices_come_by_cdi_and_permission(server, image, tmp_path):
    folder = "/etc/cdi"
    made = not os.path.isdir(folder)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"gyre-test-{os.getpid()}.json")
    (tmp_path / "extra").write_text("mounted")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"cdiVersion": "0.6.0", "kind": "gyre.test/zero", "devices": [
            {"name": "one", "containerEdits": {
                "deviceNodes": [{"path": "/dev/my-zero", "hostPath": "/dev/zero"}],
                "mounts": [{"hostPath": str(tmp_path / "extra"), "containerPath": "/extra",
                            "options": ["ro", "bind"]}],
                "env": ["MY_ZERO=one"]}}]}, file)
    try:
        cloud = server.up("--device", "gyre.test/zero")
        job = submit(cloud, image, "head -c 3 /dev/my-zero | wc -c; cat /extra; echo $MY_ZERO",
                     devices=["gyre.test/zero=one"])
        assert cloud.wait(job)["state"] == "succeeded", (cloud.job(job), log(cloud, job))
        assert log(cloud, job) == "3\nmountedone\n"
        for device, why in [("gyre.test/zero=two", "no CDI file"),
                            ("gyre.test/other=one", "is not allowed")]:
            job = submit(cloud, image, "true", devices=[device], retry={"max": 0})
            assert why in cloud.wait(job)["reason_detail"]
    finally:
        os.unlink(path)
        if made:
            os.rmdir(folder)


def test_what_cannot_start_says_why(cloud, image, tmp_path):
    for spec, why in [({"command": ["no-such"]}, "cannot run 'no-such' in the image"),
                      ({"command": ["true"], "working_directory": "/none"},
                       "cannot enter the working directory '/none' in the image"),
                      ({"command": ["true"], "user": "nobody-here"}, "no user 'nobody-here'"),
                      ({"command": ["true"], "image": str(tmp_path / "none")},
                       "there is no such folder or file"),
                      ({"command": ["true"], "image": str(tmp_path)}, "there is no OCI layout"),
                      ({"command": ["true"], "image": image + "@sha256:" + "0" * 64},
                       "none of its images")]:
        status, _, answer = cloud.http("POST", "/v1/jobs",
                                       {"image": image, "retry": {"max": 0}, **spec})
        assert status == 201, answer
        ended = cloud.wait(answer["id"])
        assert ended["state"] == "failed" and why in ended["reason_detail"], ended


def test_the_stages_of_a_start_are_kept(cloud, image):
    job = submit(cloud, image, ["true"])
    start = cloud.wait(job)["start"]
    assert all(start[f"{stage}_us"] >= 0
               for stage in ("decide", "deliver", "image", "root", "create", "init", "ready"))
    assert start["create_us"] > 0 and start["root_us"] > 0


def test_a_container_outlives_a_killed_server(cloud, image, tmp_path):
    job = submit(cloud, image, "echo before; sleep 2; echo after; exit 5")
    cloud.wait(job, "running")
    cloud.end(signal.SIGKILL)
    cloud.up()
    ended = cloud.wait(job)
    assert (ended["exit_code"], ended["attempt"]) == (5, 1)
    assert log(cloud, job) == "before\nafter\n"


def test_device_nodes_and_mounts_are_out_of_reach(cloud, image):
    script = ("mknod /tmp/d c 1 3 2>&1; mount -t tmpfs x /tmp 2>&1; "
              "cat /proc/kcore 2>/dev/null | wc -c; unshare -U true 2>&1; "
              "echo 1 2>&1 >/proc/sys/kernel/core_pattern; echo end")
    job = submit(cloud, image, script)
    cloud.wait(job)
    lines = log(cloud, job).splitlines()
    assert lines[-1] == "end" and "0" in lines, lines
    assert sum("not permitted" in line or "denied" in line for line in lines) >= 3, lines
