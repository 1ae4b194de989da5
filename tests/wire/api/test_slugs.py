"""Slugs made from names are the ones Django would have made."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.wire.api.slugs import slugify


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("", ""),
        ("Hello, World!", "hello-world"),
        ("  many   spaces\tand\nlines  ", "many-spaces-and-lines"),
        ("Un éléphant à l'orée du bois", "un-elephant-a-loree-du-bois"),
        ("jack & jill like numbers 1,2,3 and 4", "jack-jill-like-numbers-123-and-4"),
        ("snake_case stays", "snake_case-stays"),
        ("--dashes--and__lines__", "dashes-and__lines"),
        ("a - - b", "a-b"),
        ("(foobar)", "foobar"),
        ("日本", ""),
        ("ﬁle №5", "file-no5"),
        ("Ⅳ²", "iv2"),
    ],
)
def test_known_names(name: str, slug: str) -> None:
    """The examples of Django's own documentation and tests give the same slugs here."""
    assert slugify(name) == slug


@given(st.text(max_size=100))
def test_any_name_makes_a_legal_slug_that_stays(name: str) -> None:
    """Whatever the name, its slug is legal, and the slug of a slug is that slug."""
    slug = slugify(name)
    assert re.fullmatch("[a-z0-9_-]*", slug)
    assert slugify(slug) == slug
