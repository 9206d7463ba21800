"""Who may come in, and what the rest may do to those who are."""
import json
import os
import socket
import stat
import subprocess
import time

import pytest


def try_agent(fleet, name, token, *options, code=1):
    """What an agent says that is not let in."""
    folder = fleet.folder / f"try-{name}"
    folder.mkdir(exist_ok=True)
    result = subprocess.run(
        [fleet.program, "agent", "--server", f"127.0.0.1:{fleet.agents_port}", "--state", folder,
         "--name", name, *options], env={**fleet.environment, "GYRE_JOIN_TOKEN": token},
        capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == code, result.stderr
    return result.stderr


def test_a_token_lets_one_node_in_once_and_is_kept_as_a_hash(fleet):
    token = fleet.token()
    secret = token.split(".")[3]
    assert secret not in (fleet.state / "fleet" / "members.json").read_text()
    agent = fleet.new_agent("a").start(token)
    fleet.until(lambda: fleet.node("a").get("state") == "up", "a comes in")
    assert "joined the fleet as node a" in agent.said()
    assert "not valid" in try_agent(fleet, "b", token)
    assert fleet.node("b") == {}
    machine = fleet.node("a")["machine"]
    assert machine["kernel"] == os.uname().release and machine["numa_nodes"] >= 0


AUTHORITY_CNF = """
[ca]
default_ca = here
[here]
database = {0}/index
new_certs_dir = {0}
serial = {0}/serial
default_md = sha256
policy = names
x509_extensions = node
[names]
commonName = supplied
[node]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
"""


def make_old(fleet, agent, serial):
    """Puts a certificate that has nearly expired in the place of the agent's own."""
    path = agent.folder / "agent" / "membership.pem"
    text = path.read_text()
    at = text.index("-----BEGIN PRIVATE KEY-----")
    key, authority = text[at:].split("-----BEGIN CERTIFICATE-----")
    folder = fleet.folder / "old"
    folder.mkdir()
    (folder / "key").write_text(key)
    (folder / "index").write_text("")
    (folder / "serial").write_text(serial + "\n")
    (folder / "cnf").write_text(AUTHORITY_CNF.format(folder))
    year = time.gmtime().tm_year
    own = fleet.state / "fleet"
    for command in [
            ["req", "-new", "-key", folder / "key", "-subj", f"/CN=node:{agent.name}",
             "-out", folder / "request"],
            ["ca", "-batch", "-config", folder / "cnf", "-notext", "-in", folder / "request",
             "-out", folder / "certificate", "-cert", own / "authority.pem",
             "-keyfile", own / "authority.key", "-startdate", f"{year - 10}0101000000Z",
             "-enddate", f"{year + 2}0101000000Z"]]:
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    path.write_text((folder / "certificate").read_text() + key + "-----BEGIN CERTIFICATE-----" +
                    authority)
    members = fleet.members()
    members["nodes"][agent.name] = {"serial": serial, "previous": ""}
    (fleet.state / "fleet" / "members.json").write_text(json.dumps(members))


def test_a_certificate_is_renewed_before_it_expires_and_the_old_one_is_void_then(fleet):
    agent = fleet.agent("a")
    agent.end()
    fleet.end()
    make_old(fleet, agent, "1234ABCD")
    fleet.serve()
    old = (agent.folder / "agent" / "membership.pem").read_bytes()
    agent.start()
    fleet.until(lambda: "has been renewed" in agent.said(), "it is renewed")
    fleet.until(lambda: fleet.node("a")["state"] == "up", "it is up")
    assert fleet.members()["nodes"]["a"]["serial"] != "1234ABCD"
    agent.end()
    agent.start()  # shows the new one
    fleet.until(lambda: fleet.members()["nodes"]["a"]["previous"] == "", "the new one was shown")
    agent.end()
    (agent.folder / "agent" / "membership.pem").write_bytes(old)
    agent.start()
    fleet.until(lambda: "replaced by another" in agent.said(), "the old one is refused")


def test_keys_are_for_their_owner_alone(fleet):
    agent = fleet.agent("a")
    for path in [agent.folder / "agent" / "membership.pem", fleet.state / "fleet" / "authority.key",
                 fleet.state / "fleet" / "members.json"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("change", [
    lambda parts: [*parts[:3], parts[3][:-1] + ("0" if parts[3][-1] != "0" else "1")],
    lambda parts: [*parts[:2], "0" * 16, parts[3]],
])
def test_a_token_that_was_not_made_here_opens_nothing(fleet, change):
    forged = ".".join(change(fleet.token().split(".")))
    assert "not valid" in try_agent(fleet, "b", forged)


def test_words_that_are_no_token_are_a_usage_error(fleet):
    assert "no join token" in try_agent(fleet, "b", "sesame", code=2)
    assert "no join token" in try_agent(fleet, "b", "", "--token-file", "/dev/null", code=2)
    for lifetime in ("90d", "0s"):
        told = fleet.cli("node", "join-token", "--for", lifetime, code=2).stderr
        assert "--for: " in told and "604800" in told
    for server in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:x", ":8643", "::1", "[::1]:99999"):
        told = fleet.cli("agent", "--server", server, code=2).stderr
        assert f"'{server}' is no HOST:PORT" in told and told.count("\n") == 1


def test_a_token_is_over_when_its_time_is(fleet):
    token = fleet.token("--for", "1s")
    name = token.split(".")[2]
    # Whoever asks for another has those swept away that are over.
    fleet.until(lambda: fleet.token() and name not in fleet.members()["tokens"], "it is over")
    assert "not valid" in try_agent(fleet, "b", token)


def test_a_token_for_one_node_is_no_other_ones(fleet):
    assert "not valid" in try_agent(fleet, "b", fleet.token("--node", "c"))


def test_a_server_with_another_authority_gets_nothing(fleet):
    parts = fleet.token().split(".")
    parts[1] = "ab" * 32
    assert "fingerprint" in try_agent(fleet, "b", ".".join(parts))


def test_a_node_that_is_up_cannot_be_joined_over(fleet):
    fleet.agent("a")
    assert "may still run" in try_agent(fleet, "a", fleet.token("--node", "a"))


def test_only_tls_1_3_is_spoken(fleet):
    def handshake(*options):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{fleet.agents_port}",
                               "-alpn", "h2", *options], input=b"", capture_output=True,
                              timeout=60, check=False)
    assert b"TLSv1.3" in handshake("-tls1_3").stdout
    assert handshake("-tls1_2").returncode != 0


def test_garbage_and_half_open_connections_harm_nobody(fleet):
    fleet.agent("a")
    address = ("127.0.0.1", fleet.agents_port)
    held = [socket.create_connection(address) for _ in range(200)]
    for i, one in enumerate(held):
        one.sendall(os.urandom(1 + 50 * (i % 40)))
    job = fleet.submit(["echo", "fine"])
    assert fleet.wait(job)["state"] == "succeeded"
    for one in held:
        one.close()


def test_a_server_without_agents_says_so(fleet):
    other = type(fleet)(fleet.program, fleet.folder / "other")
    (fleet.folder / "other").mkdir()
    other.up()
    assert "takes no agents in" in other.cli("node", "join-token", code=1).stderr
    other.end()


def test_the_server_tells_when_certificates_end_and_how_many_tokens_are_open(fleet):
    fleet.agent("a")
    fleet.token()
    agents = fleet.http("GET", "/v1/server")[2]["agents"]
    assert agents["tokens_open"] == 1 and agents["address"].endswith(str(fleet.agents_port))
    assert [node["name"] for node in agents["nodes"]] == ["a"]
    year = int(agents["nodes"][0]["certificate_expires_at"][:4])
    assert time.gmtime().tm_year <= year <= time.gmtime().tm_year + 1
    assert int(agents["authority_expires_at"][:4]) > year
