"""Key files and the allow-list, without any socket."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stream.security.make_keys import Keyring
from whoplays.models.errors import OptionError
from whoplays.stream.security.allow_list import AllowList, server_keys
from whoplays.stream.security.keys import client_keys, make_keys, read_public, read_secret


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_pair_belongs_together_and_the_secret_is_for_its_owner(tmp_path: Path) -> None:
    files = make_keys("stage", tmp_path / "deep" / "keys")
    public, secret = read_secret(files.secret)
    assert zmq.curve_public(secret) == public == read_public(files.public)
    assert (mode_of(files.secret), mode_of(files.public), mode_of(tmp_path / "deep" / "keys")) == (0o600, 0o644, 0o700)
    assert secret not in files.public.read_bytes()
    assert sorted(files.secret.parent.iterdir()) == [files.public, files.secret]


@pytest.mark.parametrize("left", ["public", "secret"])
def test_a_pair_is_never_made_over_another(tmp_path: Path, left: str) -> None:
    files = make_keys("stage", tmp_path)
    kept: Path = getattr(files, left)
    (files.secret if left == "public" else files.public).unlink()
    before = kept.read_bytes()
    with pytest.raises(OptionError, match="key pair 'stage' exists already"):
        make_keys("stage", tmp_path)
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_bytes() == before


@pytest.mark.parametrize("name", ["", "../stage", "a/b", ".hidden", "a b", 101 * "a", "a\n"])
def test_malformed_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="key name must be"):
        make_keys(name, tmp_path)


def test_unusable_folders_are_refused(tmp_path: Path) -> None:
    public = make_keys("stage", tmp_path).public
    for folder, reason in ((tmp_path / (300 * "x"), "File name too long"), (public, "File exists")):
        with pytest.raises(OptionError, match=f"cannot write keys into .*: {reason}"):
            make_keys("hall", folder)
    with pytest.raises(OptionError, match=r"cannot write .*: File name too long"):
        AllowList(tmp_path / (300 * "x")).allow(public, "stage")
    with pytest.raises(OptionError, match=r"xxx cannot be read: File name too long"):
        AllowList(tmp_path / (300 * "x")).names()


def test_a_secret_that_others_can_read_is_refused(keyring: Keyring) -> None:
    secret = keyring.secret("stage")
    for mode in (0o640, 0o604, 0o660):
        secret.chmod(mode)
        with pytest.raises(OptionError, match=f"others can read; run: chmod 600 {secret}"):
            read_secret(secret)
    secret.chmod(0o400)
    read_secret(secret)


def test_each_file_belongs_in_its_place(keyring: Keyring) -> None:
    with pytest.raises(OptionError, match="holds a secret key, which never leaves its machine; give the public one"):
        read_public(keyring.secret("hall"))
    with pytest.raises(OptionError, match="has no secret key"):
        read_secret(keyring.public("hall"))


def test_unusable_key_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.key"
    with pytest.raises(OptionError, match="cannot be read: "):
        read_public(path)
    with pytest.raises(OptionError, match="cannot be read: Is a directory"):
        read_public(tmp_path)
    path.write_text("curve\n")
    with pytest.raises(OptionError, match="is not a key file"):
        read_public(path)
    path.write_text("curve\n public-key = 'short'\n")
    with pytest.raises(OptionError, match="is damaged"):
        read_public(path)
    path.write_bytes(bytes(1 << 20))
    with pytest.raises(OptionError, match="is not a key file: it is too long"):
        read_public(path)


def test_a_pair_of_two_halves_is_refused(keyring: Keyring) -> None:
    secret = keyring.secret("stage")
    text = secret.read_bytes().replace(read_public(keyring.public("stage")), read_public(keyring.public("hall")))
    secret.write_bytes(text)
    with pytest.raises(OptionError, match="is damaged: its public key is not"):
        read_secret(secret)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=100) | st.binary(max_size=60).map(lambda key: b"curve\n    public-key = " + key))
def test_any_bytes_are_a_key_file_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.key"
    path.write_bytes(data)
    with suppress(OptionError):
        assert len(read_public(path)) == 40


def test_the_allow_list_changes_at_once(keyring: Keyring) -> None:
    allowed, key = keyring.allowed, read_public(keyring.public("stage"))
    assert not allowed.admits(key)
    allowed.allow(keyring.public("stage"), "stage")
    allowed.allow(keyring.public("stage"), "stage")
    assert allowed.admits(key)
    assert not allowed.admits(read_public(keyring.public("stranger")))
    assert allowed.names() == ["stage"]
    allowed.revoke("stage")
    assert not allowed.admits(key)


def test_the_allow_list_refuses_what_it_cannot_use(keyring: Keyring) -> None:
    allowed = keyring.allowed
    allowed.allow(keyring.public("stage"), "stage")
    with pytest.raises(OptionError, match="has another key; revoke stage first"):
        allowed.allow(keyring.public("stranger"), "stage")
    with pytest.raises(OptionError, match="holds a secret key"):
        allowed.allow(keyring.secret("stranger"), "stranger")
    with pytest.raises(OptionError, match=r"'nobody' not found in .*; it has: stage"):
        allowed.revoke("nobody")


def test_a_damaged_file_neither_admits_nor_keeps_out(keyring: Keyring) -> None:
    keyring.allow("stage")
    (keyring.allowed.folder / "aaa.key").write_bytes(b"\xff\x00")
    (keyring.allowed.folder / "bbb.key").mkdir()
    assert keyring.allowed.admits(read_public(keyring.public("stage")))
    with pytest.raises(OptionError, match=r"aaa\.key is not a key file"):
        keyring.server()


def test_a_pipe_among_the_allowed_keys_neither_admits_nor_keeps_out(keyring: Keyring) -> None:
    keyring.allow("stage")
    os.mkfifo(keyring.allowed.folder / "aaa.key")
    assert keyring.allowed.admits(read_public(keyring.public("stage")))
    with pytest.raises(OptionError, match=r"aaa\.key is not a key file: it is not a regular file"):
        keyring.server()


def test_a_missing_folder_admits_no_key(tmp_path: Path) -> None:
    missing = AllowList(tmp_path / "missing")
    assert not missing.admits(40 * b"0")
    with pytest.raises(OptionError, match=r"allowed keys .*missing not found"):
        missing.check()
    with pytest.raises(OptionError, match="cannot be read: File name too long"):
        AllowList(tmp_path / (300 * "x")).check()


def test_secrets_are_not_shown(keyring: Keyring) -> None:
    server, client = keyring.server(), keyring.client("stage")
    assert server.secret.decode() not in repr(server)
    assert client.secret.decode() not in repr(client)


def test_options_come_in_pairs(keyring: Keyring) -> None:
    assert server_keys(None, None) is None
    assert client_keys(None, None) is None
    with pytest.raises(OptionError, match=r"give keys, the file with the secret key, as well$"):
        server_keys(None, keyring.allowed.folder)
    with pytest.raises(OptionError, match="give --server-key"):
        client_keys(keyring.secret("stage"), None)
    with pytest.raises(OptionError, match="give --keys with your own"):
        client_keys(None, keyring.public("hall"))
