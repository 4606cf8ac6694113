# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.drayage.registry.plugins.module_utils._registry.challenge import Challenge, parse

BEARER = Challenge(
    "bearer", {"realm": "https://auth.example/token", "service": "r.example", "scope": "repository:a/b:pull,push"}
)
BEARER_TEXT = 'Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push"'


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("", []),
        (" , ,", []),
        ('Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        ("Basic realm=x", [Challenge("basic", {"realm": "x"})]),
        ("Basic", [Challenge("basic", {})]),
        (BEARER_TEXT, [BEARER]),
        ('Basic realm="x", charset="UTF-8"', [Challenge("basic", {"realm": "x", "charset": "UTF-8"})]),
    ],
)
def test_one_challenge(header, challenges):
    assert parse(header) == challenges


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ('Basic realm="x", ' + BEARER_TEXT, [Challenge("basic", {"realm": "x"}), BEARER]),
        (BEARER_TEXT + ', Basic realm="x"', [BEARER, Challenge("basic", {"realm": "x"})]),
        (BEARER_TEXT + ',Basic realm="x"', [BEARER, Challenge("basic", {"realm": "x"})]),
        (
            'Negotiate, Basic realm="x,y", ' + BEARER_TEXT,
            [Challenge("negotiate", {}), Challenge("basic", {"realm": "x,y"}), BEARER],
        ),
        ("Negotiate,NTLM,Basic", [Challenge(name, {}) for name in ("negotiate", "ntlm", "basic")]),
        ('Basic realm="x", Negotiate', [Challenge("basic", {"realm": "x"}), Challenge("negotiate", {})]),
        (
            'Bearer realm="a", Bearer realm="b"',
            [Challenge("bearer", {"realm": "a"}), Challenge("bearer", {"realm": "b"})],
        ),
    ],
)
def test_several_challenges_in_one_line(header, challenges):
    assert parse(header) == challenges


@pytest.mark.parametrize(
    ("header", "realm"),
    [
        ('Basic realm="a, Bearer realm=b"', "a, Bearer realm=b"),
        (r'Basic realm="say \"hi\", you"', 'say "hi", you'),
        (r'Basic realm="back\\slash"', "back\\slash"),
        (r'Basic realm="\a"', "a"),
        ('Basic realm=""', ""),
        ('Basic realm = "x"', "x"),
        ('Basic realm\t=\t"x"', "x"),
        ('Basic realm="x=y"', "x=y"),
    ],
)
def test_quoted_values(header, realm):
    assert parse(header + ", Negotiate") == [Challenge("basic", {"realm": realm}), Challenge("negotiate", {})]


@pytest.mark.parametrize("token", ["YII=", "abc==", "a.b-c_d~e+f/g", "abc"])
def test_a_token_in_place_of_parameters_is_passed_over(token):
    assert parse('Negotiate %s, Basic realm="x"' % token) == [
        Challenge("negotiate", {}),
        Challenge("basic", {"realm": "x"}),
    ]
    assert parse("Negotiate %s" % token) == [Challenge("negotiate", {})]


@pytest.mark.parametrize(
    "header", ['BEARER Realm="r",SERVICE="s"', 'bearer realm="r",service="s"', 'BeArEr REALM="r",sErViCe="s"']
)
def test_schemes_and_names_have_no_case(header):
    assert parse(header) == [Challenge("bearer", {"realm": "r", "service": "s"})]


def test_values_keep_their_case():
    assert parse('Bearer realm="HTTPS://Auth.Example/Token"')[0].parameters["realm"] == "HTTPS://Auth.Example/Token"


@pytest.mark.parametrize(
    "header",
    [
        '  Bearer   realm="r" ,  service="s"  ',
        'Bearer realm="r",,service="s",',
        ',Bearer realm="r"\t,\tservice="s"',
    ],
)
def test_empty_elements_and_space_do_not_matter(header):
    assert parse(header) == [Challenge("bearer", {"realm": "r", "service": "s"})]


def test_reading_stops_at_what_is_no_challenge_and_keeps_what_came_before():
    assert parse('Basic realm="x", "?", Bearer realm="y"') == [Challenge("basic", {"realm": "x"})]


@pytest.mark.parametrize(
    "header",
    ['Basic realm="x', 'Basic realm="x\\"', "Basic =x", "Basic realm", '"', "=", "\x00", 'Basic realm="x" "y"'],
)
def test_a_broken_header_ends(header):
    assert [challenge.scheme for challenge in parse(header)] in ([], ["basic"])


def test_a_long_header_is_read_in_one_go():
    assert len(parse(", ".join(['Basic realm="%s"' % ("\\," * 100)] * 200))) == 200
