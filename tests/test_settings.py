"""The settings: credentials in a file of their own, which nobody else may read and the environment goes before."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellprod.errors import SettingsError
from wellprod.settings import load_settings


def credentials(home: Path, text: str, rights: int = 0o600) -> Path:
    """Write the file of credentials."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "credentials.env"
    path.write_text(text)
    path.chmod(rights)
    return path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("WELLPROD_FEED_TOKEN=s3cret", "a bearer token"),
        ("WELLPROD_FEED_USER=ana\nWELLPROD_FEED_PASSWORD='s3cret$HOME'\n", "user ana with a password"),
        ("# mine\nWELLPROD_FEED_API_KEY=s3cret\n", "an API key in X-API-Key"),
    ],
)
def test_the_file_signs_in_and_says_how_without_the_secret(home: Path, text: str, kind: str) -> None:
    """Each way to sign in is told with the file; the secret is in no text of the settings."""
    path = credentials(home, text)
    settings = load_settings()
    assert settings.sign_in == f"{kind}, from {path}"
    assert "s3cret" not in f"{settings!r} {settings} {settings.sign_in}"
    assert not any("s3cret" in value for value in settings.as_environment().values())  # a process reads the file itself


def test_the_environment_goes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has any credential, the file is passed by whole."""
    credentials(home, "WELLPROD_FEED_USER=ana\nWELLPROD_FEED_PASSWORD=filed\n")
    monkeypatch.setenv("WELLPROD_FEED_TOKEN", "set")
    settings = load_settings()
    assert settings.sign_in == "a bearer token, from the environment"
    assert settings.feed_user is None and settings.feed_password is None
    assert settings.feed_token and settings.feed_token.get_secret_value() == "set"


def test_no_credentials_are_none(home: Path) -> None:
    """Without a file, or with an empty one, there is no sign-in."""
    assert load_settings().sign_in == "none"
    credentials(home, "WELLPROD_FEED_TOKEN=\n")
    assert load_settings().sign_in == "none"


@pytest.mark.parametrize("rights", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(home: Path, rights: int) -> None:
    """The message gives its rights and the command that mends them, and not what is in it."""
    path = credentials(home, "WELLPROD_FEED_TOKEN=s3cret", rights)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(path) in caught.value.message and f"{rights:o}" in caught.value.message
    assert caught.value.next == f"Run: chmod 600 {path}"
    assert "s3cret" not in str(caught.value)


def test_any_other_name_in_the_file_is_refused(home: Path) -> None:
    """It is for credentials only; the message names those, and no value."""
    credentials(home, "WELLPROD_FEED_TOKEN=s3cret\nWELLPROD_HOME=elsewhere\n")
    with pytest.raises(SettingsError, match="sets 'WELLPROD_HOME'") as caught:
        load_settings()
    assert "WELLPROD_FEED_PASSWORD" in caught.value.next and "s3cret" not in str(caught.value)


def test_a_secret_that_no_header_can_carry_is_refused_without_showing_it(home: Path) -> None:
    """The message names the variable."""
    credentials(home, 'WELLPROD_FEED_TOKEN="s3crét"')
    with pytest.raises(SettingsError, match="WELLPROD_FEED_TOKEN is not allowed") as caught:
        load_settings()
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize(
    "origin", ["*", "null", "app.example.com", "https://app.example.com/", "https://app.example.com/x"]
)
def test_an_origin_that_no_browser_sends_is_refused(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    """It would match nothing, or all of them; the message names it, and says what one looks like."""
    monkeypatch.setenv("WELLPROD_API_ALLOWED_ORIGINS", f"https://a.example:8443,http://[::1]:3000,{origin}")
    with pytest.raises(SettingsError, match="WELLPROD_API_ALLOWED_ORIGINS is not allowed") as caught:
        load_settings()
    assert repr(origin) in caught.value.message and "https://app.example.com" in caught.value.message
