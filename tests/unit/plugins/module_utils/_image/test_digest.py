# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import DigestMismatch, InvalidContent
from ansible_collections.drayage.registry.plugins.module_utils._image import digest as digests
from ansible_collections.drayage.registry.plugins.module_utils._image.verified import Verified

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
CONTENT = b"first second third"
CHUNKS = [b"first ", b"second ", b"third"]


def passed_on(chunks, digest, size):
    """What a consumer has received when the stream ends or fails."""
    received = []
    try:
        for chunk in Verified(lambda _at: chunks, digest, size):
            received.append(chunk)
    except DigestMismatch:
        return received, False
    return received, True


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (EMPTY, True),
        ("sha384:" + "0" * 96, True),
        ("sha512:" + "f" * 128, True),
        ("", False),
        ("latest", False),
        ("sha256", False),
        ("sha256:", False),
        (EMPTY[:-1], False),
        (EMPTY + "0", False),
        (EMPTY.upper(), False),
        ("sha256:" + "A" * 64, False),
        ("sha256:" + "g" * 64, False),
        ("SHA256:" + "a" * 64, False),
        ("sha512:" + "a" * 64, False),
        ("md5:" + "a" * 32, False),
        ("sha1:" + "a" * 40, False),
        ("sha256+b64u:" + "a" * 64, False),
        (" " + EMPTY, False),
        (EMPTY + "\n", False),
        ("sha256:../" + "a" * 61, False),
    ],
)
def test_only_digests_that_can_be_verified_are_digests(text, valid):
    assert digests.is_digest(text) is valid


def test_check_returns_a_digest_and_refuses_all_else():
    assert digests.check(EMPTY) == EMPTY
    for other in ("sha256:short", None, 5, ["sha256"], {}, ("a", "b"), b"sha256:" + b"a" * 64):
        with pytest.raises(InvalidContent, match="is not a valid digest"):
            digests.check(other)


def test_the_digest_of_nothing_is_the_well_known_one():
    assert digests.of(b"") == EMPTY


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_each_algorithm_computes_and_verifies(algorithm):
    digest = digests.of(CONTENT, algorithm)
    assert digest == "%s:%s" % (algorithm, hashlib.new(algorithm, CONTENT).hexdigest())
    assert digests.is_digest(digest)
    assert digests.verify(CONTENT, digest) == CONTENT
    assert passed_on(CHUNKS, digest, len(CONTENT)) == (CHUNKS, True)


def test_split_separates_algorithm_and_value():
    assert digests.split("sha512:abc") == ("sha512", "abc")


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_verify_refuses_other_content_and_names_both_digests(size):
    other = b"x" * len(CONTENT)
    with pytest.raises(DigestMismatch) as caught:
        digests.verify(other, digests.of(CONTENT), size)
    assert digests.of(CONTENT) in str(caught.value)
    assert digests.of(other) in str(caught.value)


@pytest.mark.parametrize("size", [0, len(CONTENT) - 1, len(CONTENT) + 1])
def test_verify_refuses_another_size_than_was_told(size):
    with pytest.raises(DigestMismatch, match="should be %d bytes long, but is %d" % (size, len(CONTENT))):
        digests.verify(CONTENT, digests.of(CONTENT), size)


@pytest.mark.parametrize("chunks", [CHUNKS, [CONTENT], [bytes([byte]) for byte in CONTENT]])
def test_right_content_passes_unchanged(chunks):
    assert passed_on(chunks, digests.of(CONTENT), len(CONTENT)) == (chunks, True)


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
def test_an_empty_blob_passes(chunks):
    assert passed_on(chunks, EMPTY, 0) == ([], True)


@pytest.mark.parametrize("chunks", [CHUNKS, [CONTENT], [b"fir", b"st second third"]])
def test_the_last_chunk_of_wrong_content_is_held_back(chunks):
    digest = digests.of(b"x" * len(CONTENT))
    assert passed_on(chunks, digest, len(CONTENT)) == (chunks[:-1], False)


def test_wrong_content_names_the_digest_it_has():
    wanted = digests.of(b"x" * len(CONTENT))
    with pytest.raises(DigestMismatch) as caught:
        list(Verified(lambda _at: CHUNKS, wanted, len(CONTENT)))
    assert wanted in str(caught.value)
    assert digests.of(CONTENT) in str(caught.value)


@pytest.mark.parametrize("chunks", [CHUNKS[:2], CHUNKS[:1], []])
def test_a_blob_that_ends_early_is_never_complete(chunks):
    received, complete = passed_on(chunks, digests.of(CONTENT), len(CONTENT))
    assert not complete
    assert received == chunks


def test_a_blob_that_ends_early_says_after_how_many_bytes():
    with pytest.raises(DigestMismatch, match="should be 18 bytes long, but ends after 6 bytes"):
        list(Verified(lambda _at: CHUNKS[:1], digests.of(CONTENT), len(CONTENT)))


def test_content_that_was_cut_off_is_refused_even_where_its_digest_fits():
    with pytest.raises(DigestMismatch, match="ends after 18"):
        list(Verified(lambda _at: CHUNKS, digests.of(CONTENT), len(CONTENT) + 1))


def test_reading_stops_at_the_first_byte_too_many():
    taken = []

    def endless():
        while True:
            taken.append(b"x" * 10)
            yield taken[-1]

    with pytest.raises(DigestMismatch, match="is larger than the expected 25 bytes"):
        list(Verified(lambda _at: endless(), digests.of(b"x" * 25), 25))
    assert len(taken) == 3


def test_nothing_beyond_the_size_is_passed_on():
    received, complete = passed_on([CONTENT, b"!"], digests.of(CONTENT), len(CONTENT))
    assert not complete
    assert received == []


def test_content_is_passed_on_while_it_is_read():
    source = iter(CHUNKS)
    stream = Verified(lambda _at: source, digests.of(CONTENT), len(CONTENT))
    assert next(stream) == CHUNKS[0]
    assert next(source) == CHUNKS[1]


def test_an_empty_chunk_at_the_end_lets_nothing_wrong_pass():
    passed = []
    with pytest.raises(DigestMismatch):
        for chunk in Verified(lambda _at: [b"wrong", b""], digests.of(b"right"), 5):
            passed.append(chunk)
    assert passed == []
