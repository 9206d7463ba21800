"""What a server tells of itself, and that none of it is a secret."""
import base64
import json
import time

from cloud import until

PASSWORD = "nobody-shall-see-this"


def facts(cloud):
    status, _, answer = cloud.http("GET", "/v1/server")
    assert status == 200, answer
    return answer


def test_the_journal_its_disk_and_its_last_backup(cloud):
    journal = facts(cloud)["journal"]
    assert journal["store"] == "sqlite" and journal["role"] == "alone"
    assert journal["place"] == str(cloud.state / "journal.sqlite")
    assert journal["bytes"] > 0
    assert 0 < journal["disk"]["free_bytes"] <= journal["disk"]["total_bytes"]
    assert journal["status"] == "ok" and journal["detail"] == ""
    assert journal["last_backup"] is None
    begun = time.time()
    made = cloud.json("backup", "create", cloud.folder / "one.gyre")
    backup = facts(cloud)["journal"]["last_backup"]
    assert backup["file"] == str(cloud.folder / "one.gyre"), made
    at = time.mktime(time.strptime(backup["at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert abs(at - begun) < 3600
    (cloud.state / "last-backup.json").write_text('{"at":')
    assert facts(cloud)["journal"]["last_backup"] is None
    before = journal["last_event"]
    cloud.run("--", "true")
    until(lambda: facts(cloud)["journal"]["last_event"] > before, "events are counted")


def test_registries_are_told_by_name_and_nothing_of_their_logins(cloud):
    assert facts(cloud)["registry_logins"] == {"hosts": [], "problem": ""}
    login = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
    file = cloud.state / "registry-logins.json"
    file.write_text(json.dumps({"auths": {"r.example:5000": {"auth": login}}}))
    file.chmod(0o600)
    told = facts(cloud)
    assert told["registry_logins"] == {"hosts": ["r.example:5000"], "problem": ""}
    text = json.dumps(told)
    assert PASSWORD not in text and login not in text and "robot" not in text
    file.chmod(0o644)
    assert "chmod 600" in facts(cloud)["registry_logins"]["problem"]


def test_what_is_not_there_is_null(cloud):
    told = facts(cloud)
    assert told["agents"] is None and told["idle"] is None
    assert told["services"]["certificate_expires_at"] is None
    assert told["limits"]["page_entries"] == 1000
    assert told["policy"] and told["version"] and told["started_at"]


def test_fragmentation_is_told_now_and_over_time(cloud):
    overview = cloud.http("GET", "/v1/overview")[2]
    assert overview["gpus_free"] == 4 and overview["fragmentation_ratio"] is None
    job = cloud.run("--gpu", "0.6", "--", "sleep", "1000")
    cloud.wait(job, "running")

    def measured():
        overview = cloud.http("GET", "/v1/overview")[2]
        return overview["gpus_fragmented"] == 0.4 and overview
    overview = until(measured, "the rest of a device is lost to such tasks")
    assert overview["gpus_free"] == 3.4 and overview["fragmentation_ratio"] == 0.118
    history = cloud.http("GET", "/v1/history?window=1h")[2]
    assert len(history["gpus_fragmented"]) == len(history["gpus"]) == len(history["gpus_free"])
    assert max(x or 0 for x in history["gpus_free"]) <= 4
