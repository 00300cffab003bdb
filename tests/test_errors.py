"""Errors, settings and what they may show."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellprod.errors import FeedRefused, SettingsError, mask_secrets, redact, unmask_secrets
from wellprod.settings import default_home, load_settings


def test_an_error_shows_no_query_and_no_password() -> None:
    """A message keeps the address and loses its user part, its query and any sign-in header."""
    error = FeedRefused("https://u:pw@host/odata?$skiptoken=x&api_key=k said no to Bearer abc.def-123")
    assert str(error) == "https://host/odata said no to Bearer ***"
    assert "pw" not in redact("see https://u:pw@host/a?b=c")


def test_a_masked_link_is_restored_from_the_whole_address() -> None:
    """Secret-like parameters are hidden by name, a $skiptoken is not one, and the address gives them back."""
    for name in ("key", "code", "client_secret", "subscription-key", "x-api-key", "auth", "Password"):
        assert mask_secrets(f"https://h/o?$top=1&{name}=hush") == f"https://h/o?$top=1&{name}=***"
    masked = mask_secrets("https://h/o?$skiptoken=t&api_key=k1&sig=s1")
    assert masked == "https://h/o?$skiptoken=t&api_key=***&sig=***"
    assert unmask_secrets(masked, "https://h/o?sig=s1&api_key=k1") == "https://h/o?$skiptoken=t&api_key=k1&sig=s1"
    assert unmask_secrets(masked, "https://h/o?sig=s1") is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PAGE_SIZE", "0", "page size 0 is not allowed; it must be from 1 to 5000"),
        ("PAGE_SIZE", "5001", "page size 5001 is not allowed; it must be from 1 to 5000"),
        ("FEED_ATTEMPTS", "many", "WELLPROD_FEED_ATTEMPTS is not allowed"),
        ("STORE_MEMORY", "lots", "no amount of memory"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    """A setting that is not allowed gives its variable, its value and what is allowed."""
    monkeypatch.setenv(f"WELLPROD_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert says in str(caught.value)
    assert f"WELLPROD_{name}" in str(caught.value)


@pytest.mark.parametrize("name", ["FEED_TOKEN", "FEED_API_KEY"])
def test_a_credential_that_fits_no_header_is_told_without_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A line end around it is taken off; a character that no header carries is refused, and not shown."""
    monkeypatch.setenv(f"WELLPROD_{name}", "hush-hush\r\n")
    secret = getattr(load_settings(), name.lower())
    assert secret.get_secret_value() == "hush-hush"
    monkeypatch.setenv(f"WELLPROD_{name}", "hüsh-hush")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hush" not in str(caught.value) and f"WELLPROD_{name}" in str(caught.value)


def test_lists_in_settings_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules and origins are written with commas between them."""
    monkeypatch.setenv("WELLPROD_REJECT_RULES", "negative_rate, future_month")
    assert load_settings().reject_rules == ("negative_rate", "future_month")


def test_a_secret_is_not_shown_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings shows no password, token or key."""
    for name in ("PASSWORD", "TOKEN", "API_KEY"):
        monkeypatch.setenv(f"WELLPROD_FEED_{name}", "hush-hush")
    assert "hush-hush" not in repr(load_settings())


def test_home_lies_beside_the_nearest_notebooks(tmp_path: Path) -> None:
    """Without WELLPROD_HOME it is `data/` beside `notebooks/` upward, else `data/` where one is."""
    deep = tmp_path / "project" / "notebooks" / "deep"
    deep.mkdir(parents=True)
    assert default_home(deep) == tmp_path / "project" / "data"
    assert default_home(tmp_path) == tmp_path / "data"
