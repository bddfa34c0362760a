"""The command line of ssh takes no options from a name, and what ssh writes is said in words."""

import pytest

from studio.app.engine import ssh


@pytest.mark.parametrize(
    "text", ["garden", "ada@garden", "ada@garden.example.org", "10.0.0.7", "a_b@fe80::1", " garden "]
)
def test_names_of_computers_are_taken(text: str) -> None:
    assert ssh.check_host(text) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-oProxyCommand=touch x", "-v", "ada@-oProxyCommand=x", "ada garden", "garden\n-v", "garden\x00",
        "garden;ls", "$(ls)", "`ls`", "a@b@c", "@garden", "ada@", "gärten", "x" * 201, "~", "..", "a/b",
    ],
)  # fmt: skip
def test_anything_that_could_be_an_option_or_a_command_is_refused(text: str) -> None:
    with pytest.raises(ssh.BadHost):
        ssh.check_host(text)
    with pytest.raises(ssh.BadHost):
        ssh.remote_program(text)


def test_ssh_never_asks_and_the_name_follows_the_options() -> None:
    program = ssh.remote_program("ada@garden", background=True)
    assert program[0] == "ssh" and "BatchMode=yes" in program
    place = program.index("--")
    assert program[place + 1 :] == ["ada@garden", "studio", "engine", "--remote", "--background"]


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("ssh: Could not resolve hostname garden: Name or service not known", 255, '"garden" was not found.'),
        ("ssh: connect to host garden port 22: Connection refused", 255, '"garden" refused the connection.'),
        ("ssh: connect to host garden port 22: Connection timed out", 255, '"garden" does not answer.'),
        ("ssh: connect to host garden port 22: No route to host", 255, '"garden" does not answer.'),
        ("ada@garden: Permission denied (publickey,password).", 255, '"garden" did not accept your key.'),
        ("Host key verification failed.", 255, '"garden" is not known to ssh yet.'),
        ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", 255, '"garden" shows another host key'),
        ("bash: line 1: studio: command not found", 127, 'Latent Studio was not found on "garden".'),
        ("", 127, 'Latent Studio was not found on "garden".'),
        ("'studio' is not recognized as an internal or external command,", 1, "Latent Studio was not found"),
        ("the cat sat on the cable", 255, 'The engine on "garden" did not start. It wrote: "the cat sat'),
    ],
)
def test_what_ssh_writes_is_said_in_words(line: str, status: int, words: str) -> None:
    assert ssh.explain_failure("garden", [line], status).startswith(words)
