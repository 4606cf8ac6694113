# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._errors import ImageError, InvalidContent, NotFound
from ansible_collections.drayage.registry.plugins.module_utils._stores import decompression
from ansible_collections.drayage.registry.plugins.module_utils._stores.tar_reader import TarImage
from ansible_collections.drayage.registry.tests.unit.support.archives import link, member, tar, write

LONG = "d/" * 120 + "file"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.tar"


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_are_read_by_name(path, layout):
    write(path, member("a", b"one"), member("d", kind=tarfile.DIRTYPE), member("./d/b", b"two" * 1000), layout=layout)
    with TarImage(str(path)) as archive:
        assert archive.names() == ["a", "d/b"]
        assert (archive.size("a"), archive.size("./a"), archive.size("d"), archive.size("x")) == (3, 3, None, None)
        assert archive.read("a", 3) == b"one"
        assert b"".join(archive.chunks("d/b")) == b"two" * 1000


@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_links(path, layout):
    write(path, member(LONG, b"long"), link("l", LONG), member("ünï", b"x"), layout=layout)
    with TarImage(str(path)) as archive:
        assert archive.names() == [LONG, "l", "ünï"]
        assert archive.read(LONG, 10) == archive.read("l", 10) == b"long"


def test_links_are_followed_within_the_archive(path):
    write(
        path,
        member("1/layer.tar", b"layer"),
        link("2/layer.tar", "../1/layer.tar"),
        link("3/layer.tar", "1/layer.tar", tarfile.LNKTYPE),
        link("dangling", "nothing"),
        link("loop", "loop"),
    )
    with TarImage(str(path)) as archive:
        assert archive.read("2/layer.tar", 10) == archive.read("3/layer.tar", 10) == b"layer"
        with pytest.raises(NotFound, match="dangling is missing from the archive"):
            archive.read("dangling", 10)
        with pytest.raises(InvalidContent, match="the link loop in the archive does not resolve to a file"):
            archive.size("loop")


def test_of_several_members_with_one_name_and_content_any_is_taken(path):
    large = os.urandom(700_000)
    write(
        path,
        member("a", large),
        member("d", kind=tarfile.DIRTYPE),
        member("./a", large),
        member("d", kind=tarfile.DIRTYPE),
        link("l", "a"),
        link("l", "./a"),
    )
    with TarImage(str(path)) as archive:
        assert archive.read("a", 700_000) == archive.read("l", 700_000) == large


@pytest.mark.parametrize(
    "other",
    [
        member("./a", b"last!"),
        member("a", b"longer"),
        member("a", b""),
        member("a", bytes(700_000)),
        member("a", kind=tarfile.DIRTYPE),
        link("a", "b"),
        link("a", "a"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_several_members_with_one_name_that_differ_are_refused(path, other, turned):
    """Engines that unpack the archive take the last, and others the first."""
    members = [member("a", b"first"), other]
    write(path, *(members[::-1] if turned else members))
    with pytest.raises(InvalidContent, match=r"^the archive contains several different members named 'a'\. "):
        TarImage(str(path))


def test_members_of_one_size_are_compared_to_their_end(path):
    write(path, member("a", bytes(700_000)), member("a", bytes(699_999) + b"x"))
    with pytest.raises(InvalidContent, match="several different members named 'a'"):
        TarImage(str(path))


def test_more_than_the_limit_is_not_read(path):
    write(path, member("a", b"12345"))
    with TarImage(str(path)) as archive, pytest.raises(InvalidContent, match="is larger than 4 bytes"):
        archive.read("a", 4)


def test_threads_may_read_at_the_same_time(path):
    contents = {"f%d" % number: os.urandom(300_000) for number in range(8)}
    write(path, *(member(name, content) for name, content in contents.items()))
    with TarImage(str(path)) as archive, ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda name: b"".join(archive.chunks(name)), list(contents) * 4)
        assert list(read) == list(contents.values()) * 4


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_archives(path, compress, monkeypatch, tmp_path):
    content = os.urandom(700_000) + bytes(700_000)
    plain = tar(member("a", content), member("b", b"end"))
    half = len(plain) // 2
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for packed in (compress(plain), compress(plain[:half]) + compress(plain[half:]), compress(plain) + bytes(200_000)):
        path.write_bytes(packed)
        with TarImage(str(path)) as archive:
            assert archive.read("a", 2_000_000) == content
            assert archive.read("b", 3) == b"end"
    assert os.listdir(str(tmp_path)) == ["image.tar"]
    for packed in (compress(plain)[:-5], compress(plain)[:-5000], compress(plain) + b"rubbish"):
        path.write_bytes(packed)
        with pytest.raises(InvalidContent, match="the archive is corrupt: its content cannot be decompressed"):
            TarImage(str(path))


def test_a_decompression_bomb_is_defused(path, monkeypatch):
    monkeypatch.setattr(decompression, "ALWAYS_ALLOWED", 1_000_000)
    path.write_bytes(gzip.compress(bytes(20_000_000)))
    with pytest.raises(InvalidContent, match="decompresses to more than [0-9]+ bytes. If this is intended"):
        TarImage(str(path))


def test_small_archives_may_be_compressed_well(path):
    path.write_bytes(gzip.compress(tar(member("a", bytes(20_000_000)))))
    with TarImage(str(path)) as archive:
        assert archive.size("a") == 20_000_000


def damaged(*patches):
    """A tar whose header has other bytes at these offsets, and the right checksum."""
    content = bytearray(tar(member("a", b"x" * 600), member("b", b"y")))
    for offset, patch in patches:
        content[offset : offset + len(patch)] = patch
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def extended(content, kind=tarfile.XHDTYPE):
    return tar(member("PaxHeader", content, kind), member("a", b"x"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (bytes(10240), "is empty"),
        (b"<html>" * 200, "is not a tar archive"),
        (tar(member("a", b"x" * 600))[:700], "is too short to contain the 600 bytes of 'a'"),
        (tar(member("a", b"x" * 600), member("b", b"y"))[:1700], "has a corrupt header"),
        (tar(member("../a", b"x")), "contains '../a', which points outside the archive"),
        (tar(member("d/../../a", b"x")), "contains 'd/../../a', which points outside the archive"),
        (tar(member("/etc/a", b"x")), "contains '/etc/a', which points outside the archive"),
        (tar(link("a", "/etc/passwd")), "contains '/etc/passwd', which points outside the archive"),
        (tar(link("d/a", "../../x")), "contains '../../x', which points outside the archive"),
        (tar(link("d/a", "../x", tarfile.LNKTYPE)), "contains '../x', which points outside the archive"),
        (tar(member("a", kind=tarfile.CHRTYPE)), "contains 'a', which is not a file, a directory or a link"),
        (tar(member("a", kind=tarfile.BLKTYPE)), "contains 'a', which is not a file, a directory or a link"),
        (tar(member("a", kind=tarfile.FIFOTYPE)), "contains 'a', which is not a file, a directory or a link"),
        (tar(member("a", kind=tarfile.GNUTYPE_SPARSE)), "contains 'a', which is not a file, a directory or a link"),
        (damaged((124, b"\x80" + bytes(6) + b"\xff" * 5)), "is too short to contain the 1099511627775 bytes of 'a'"),
        (damaged((124, b"\xff" * 12)), "contains 'a' with an invalid size"),
        (damaged((124, b"no number!!!")), "is not a tar archive"),
        (extended(b"x" * 70_000), "contains 'PaxHeader' with an invalid size"),
        (extended(b"13 path=../a\n"), "contains '../a', which points outside the archive"),
        (extended(b"9 path=bc"), "has a malformed extended header"),
        (extended(b"9 path=bcd\n"), "has a malformed extended header"),
        (extended(b"10 path=bc\n9 x=yz\n"), "has a malformed extended header"),
        (extended(b"7 path\n"), "has a malformed extended header"),
        (extended(b"9 =value\n"), "has a malformed extended header"),
        (
            extended(b"9 path=b\n", tarfile.XGLTYPE),
            "has a global header that sets the same name or size for all members",
        ),
        (
            tar(*[member("P", b"9 path=b\n", tarfile.XHDTYPE)] * 2, member("a", b"x")),
            "has several extended headers for one member",
        ),
        (
            tar(
                member("L", b"c\0", tarfile.GNUTYPE_LONGNAME),
                member("P", b"9 path=b\n", tarfile.XHDTYPE),
                member("a", b"x"),
            ),
            "contains two names for one member: 'c' and 'b'",
        ),
        (extended(b"9 size=-1\n"), "has a malformed extended header"),
        (extended(b"10 size=-1\n"), "has a malformed extended header"),
        (extended(b"99999 path=a\n"), "has a malformed extended header"),
        (extended(b"1 path=a\n"), "has a malformed extended header"),
        (extended(b"path"), "has a malformed extended header"),
        (extended(b"0000010 path=bc\n"), "has a malformed extended header"),
        (extended(b"9 path=b\n9"), "has a malformed extended header"),
        (extended(b"25 size=9999999999999999\n"), "is too short to contain the 9999999999999999 bytes of 'a'"),
        (extended(b"22 GNU.sparse.major=1\n"), "contains a sparse file; image archives must not contain sparse files"),
        (
            b"\x28\xb5\x2f\xfd" + bytes(600),
            "is compressed with zstd, which is not supported. Decompress the archive first",
        ),
    ],
)
def test_malformed_archives(path, content, said):
    path.write_bytes(content)
    with pytest.raises(InvalidContent) as caught:
        TarImage(str(path))
    assert str(caught.value).startswith("the %s %s" % ("file" if said == "is not a tar archive" else "archive", said))


def test_endless_headers_are_refused(path):
    """A chain of extended headers, each for the next: readers that recurse break here."""
    one = tar(member("x", b"10 a=bcde\n", tarfile.XHDTYPE))[:1024]
    path.write_bytes(one * 5000 + tar(member("a", b"end")))
    with pytest.raises(InvalidContent, match="has several extended headers for one member"):
        TarImage(str(path))


def test_extended_headers_of_other_tools(path):
    path.write_bytes(
        tar(
            member("pax_global_header", b"19 comment=abcdefg\n", tarfile.XGLTYPE),
            member("P", b"9 path=b\n8 size=\n12 x=a=b c\n\n", tarfile.XHDTYPE),
            member("a", b"x"),
            member("P", b"8 path=\n", tarfile.XHDTYPE),
            member("c", b"y"),
        )
    )
    with TarImage(str(path)) as archive:
        assert (archive.names(), archive.read("b", 1)) == (["b", "c"], b"x")


def test_too_many_members(path):
    one = tar(member("x"))[:512]
    path.write_bytes(one * 100_001)
    with pytest.raises(InvalidContent, match="has more than 100000 members"):
        TarImage(str(path))


def test_an_archive_without_its_end_is_read_as_far_as_it_goes(path):
    path.write_bytes(tar(member("a", b"x"))[:1024])
    with TarImage(str(path)) as archive:
        assert archive.names() == ["a"]


def test_what_is_no_file(path):
    with pytest.raises(NotFound, match="the archive %s does not exist" % path):
        TarImage(str(path))
    path.mkdir()
    with pytest.raises(ImageError, match="%s is not a regular file" % path):
        TarImage(str(path))
    fifo = path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(InvalidContent, match="%s is not a regular file" % fifo):
        TarImage(str(fifo))


def test_a_file_that_shrinks_while_it_is_read(path):
    write(path, member("a", b"x" * 600_000))
    with TarImage(str(path)) as archive:
        with path.open("r+b") as stream:
            stream.truncate(100_000)
        with pytest.raises(InvalidContent, match="truncated the archive while"):
            list(archive.chunks("a"))


def record(key, value):
    """A record of an extended header, whose length includes the digits of the length."""
    text = b" %s=%s\n" % (key, value)
    length = next(size for size in range(len(text), len(text) + 9) if size == len(text) + len(str(size)))
    return b"%d%s" % (length, text)


@pytest.mark.parametrize("key", [b"path", b"linkpath", b"size"])
def test_a_global_header_sets_no_names_and_sizes(path, key):
    path.write_bytes(extended(record(key, b"1"), tarfile.XGLTYPE))
    with pytest.raises(InvalidContent, match="a global header that sets the same name or size for all members"):
        TarImage(str(path))


def test_an_extended_header_overrides_the_next_member_only(path):
    path.write_bytes(
        tar(
            member("P", record(b"path", b"b") + record(b"size", b"2"), tarfile.XHDTYPE),
            member("a", b"xyz"),
            member("P", record(b"path", b"l"), tarfile.XHDTYPE),
            link("m", "b"),
            member("P", record(b"linkpath", b"b"), tarfile.XHDTYPE),
            link("n", "nowhere"),
            member("c", b"z"),
        )
    )
    with TarImage(str(path)) as archive:
        assert archive.names() == ["b", "l", "n", "c"]
        assert [archive.read(name, 9) for name in archive.names()] == [b"xy", b"xy", b"xy", b"z"]


@pytest.mark.parametrize("size", [65_536, 65_537])
def test_an_extended_header_has_a_limit(path, size):
    comment = record(b"comment", b"x" * (size - 15))
    assert len(comment) == size
    path.write_bytes(extended(comment, tarfile.XGLTYPE))
    if size == 65_536:
        with TarImage(str(path)) as archive:
            assert archive.names() == ["a"]
    else:
        with pytest.raises(InvalidContent, match="contains 'PaxHeader' with an invalid size"):
            TarImage(str(path))


@pytest.mark.parametrize("digits", [19, 20])
def test_a_size_has_at_most_nineteen_digits(path, digits):
    path.write_bytes(extended(record(b"size", b"1".rjust(digits, b"0"))))
    if digits == 19:
        with TarImage(str(path)) as archive:
            assert archive.read("a", 1) == b"x"
    else:
        with pytest.raises(InvalidContent, match="has a malformed extended header"):
            TarImage(str(path))


def test_the_last_file_may_end_with_the_archive(path):
    path.write_bytes(tar(member("a", b"x" * 512))[:1024])
    with TarImage(str(path)) as archive:
        assert archive.read("a", 512) == b"x" * 512


@pytest.mark.parametrize("links", [7, 8])
def test_a_chain_of_links_has_a_limit(path, links):
    names = [*("l%d" % number for number in range(links)), "file"]
    write(path, *map(link, names, names[1:]), member("file", b"x"))
    with TarImage(str(path)) as archive:
        if links == 7:
            assert archive.read("l0", 1) == b"x"
        else:
            with pytest.raises(InvalidContent, match="the link l0 in the archive does not resolve to a file"):
                archive.read("l0", 1)


def test_a_message_shows_a_hundred_characters_of_a_name(path):
    write(path, member("/" + "a" * 200))
    with pytest.raises(InvalidContent) as caught:
        TarImage(str(path))
    assert str(caught.value).startswith("the archive contains '/%s', which" % ("a" * 99))


def test_a_file_has_one_position_whichever_of_its_names_is_used(path):
    write(path, member("a", b"x"), link("l", "a"))
    with TarImage(str(path)) as archive:
        assert archive.position("a") == archive.position("./l") == 512
        assert archive.position("b") is None
        assert b"".join(archive.chunks("a", 1)) == b""
