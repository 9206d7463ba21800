"""Jobs in containers, over REST."""


def submit(cloud, image, command, **spec):
    status, _, answer = cloud.http("POST", "/v1/jobs", {"image": image, "command": command, **spec})
    assert status == 201, answer
    return answer["id"]


def log(cloud, job):
    return cloud.cli("logs", job).stdout
